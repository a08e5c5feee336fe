import CFramepathABI
public import GraphicsMemory
public import Scanout

/// The uses of a buffer.
public enum BufferUsage: UInt32, Sendable {
  /// A frame of a scanout.
  case frame = 0
  /// A cursor image, ARGB8888 premultiplied.
  case cursor = 1
}

/// CREATE_BUFFER: requests a host buffer.
public struct CreateBuffer: Equatable, Sendable {
  /// The buffer's id, chosen by the client; not 0, and not in use.
  public var bufferID: UInt32
  /// The scanout that will show it.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// Width in pixels; ignored for a cursor.
  public var width: UInt32
  /// Height in pixels; ignored for a cursor.
  public var height: UInt32
  /// The format of the pixels.
  public var format: PixelFormat
  /// The use of the buffer.
  public var usage: BufferUsage
  /// Whether the request may wait for memory; otherwise it is answered by NO_MEMORY at once.
  public var waits: Bool

  /// A request for a host buffer.
  public init(
    bufferID: UInt32, scanout: UInt32, generation: UInt32, width: UInt32, height: UInt32, format: PixelFormat,
    usage: BufferUsage, waits: Bool = true
  ) {
    self.bufferID = bufferID
    self.scanout = scanout
    self.generation = generation
    self.width = width
    self.height = height
    self.format = format
    self.usage = usage
    self.waits = waits
  }
}

/// IMPORT_BUFFER: imports the client's memory as a framebuffer. Descriptors: see `ImportRanges`.
public struct ImportBuffer: Equatable, Sendable {
  /// The buffer's id, chosen by the client; not 0, and not in use.
  public var bufferID: UInt32
  /// The scanout that will show it.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// The layout of the picture in the memory.
  public var layout: FrameLayout
  /// The DRM format modifier; 0 is linear.
  public var modifier: UInt64
  /// Ranges of memfds, or one dma-buf.
  public var memoryKind: MemoryKind
  /// The number of entries in the range list; 0 for a dma-buf.
  public var rangeCount: Int
  /// As in `CreateBuffer`, if the daemon counts imported memory.
  public var waits: Bool

  /// A request to import memory.
  public init(
    bufferID: UInt32, scanout: UInt32, generation: UInt32, layout: FrameLayout, modifier: UInt64,
    memoryKind: MemoryKind, rangeCount: Int, waits: Bool = true
  ) {
    self.bufferID = bufferID
    self.scanout = scanout
    self.generation = generation
    self.layout = layout
    self.modifier = modifier
    self.memoryKind = memoryKind
    self.rangeCount = rangeCount
    self.waits = waits
  }
}

extension framepath_create_buffer {
  init(_ create: CreateBuffer, _ request: UInt64) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_CREATE_BUFFER, framepath_create_buffer.self, request: request),
      buffer_id: create.bufferID, scanout: create.scanout, width: create.width, height: create.height,
      fourcc: create.format.fourcc, usage: create.usage.rawValue, generation: create.generation,
      flags: create.waits ? 0 : FRAMEPATH_BUFFER_AT_ONCE)
  }
}

extension CreateBuffer {
  init(_ wire: framepath_create_buffer) throws(PresentProtocolError) {
    guard let format = PixelFormat(fourcc: wire.fourcc) else {
      throw .malformed("CREATE_BUFFER of unknown format \(wire.fourcc)")
    }
    guard let usage = BufferUsage(rawValue: wire.usage) else {
      throw .malformed("CREATE_BUFFER of unknown usage \(wire.usage)")
    }
    guard wire.buffer_id != 0 else { throw .malformed("CREATE_BUFFER with buffer id 0") }
    self.init(
      bufferID: wire.buffer_id, scanout: wire.scanout, generation: wire.generation, width: wire.width,
      height: wire.height, format: format, usage: usage, waits: wire.flags & FRAMEPATH_BUFFER_AT_ONCE == 0)
  }
}

extension framepath_import_buffer {
  init(_ imported: ImportBuffer, _ request: UInt64) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_IMPORT_BUFFER, framepath_import_buffer.self, request: request),
      buffer_id: imported.bufferID, scanout: imported.scanout, width: UInt32(imported.layout.width),
      height: UInt32(imported.layout.height), fourcc: imported.layout.format.fourcc,
      stride: UInt32(imported.layout.strideBytes), offset: UInt64(imported.layout.offset), modifier: imported.modifier,
      memory_kind: imported.memoryKind.rawValue, range_count: UInt32(clamping: imported.rangeCount),
      generation: imported.generation, flags: imported.waits ? 0 : FRAMEPATH_BUFFER_AT_ONCE)
  }
}

extension ImportBuffer {
  init(_ wire: framepath_import_buffer) throws(PresentProtocolError) {
    guard let format = PixelFormat(fourcc: wire.fourcc) else {
      throw .malformed("IMPORT_BUFFER of unknown format \(wire.fourcc)")
    }
    guard wire.buffer_id != 0 else { throw .malformed("IMPORT_BUFFER with buffer id 0") }
    guard let kind = MemoryKind(rawValue: wire.memory_kind) else {
      throw .malformed("IMPORT_BUFFER of unknown memory kind \(wire.memory_kind)")
    }
    guard wire.offset <= UInt64(Int.max),
      let layout = FrameLayout(
        width: Int(wire.width), height: Int(wire.height), strideBytes: Int(wire.stride), offset: Int(wire.offset),
        format: format)
    else {
      throw .malformed("IMPORT_BUFFER of \(wire.width)x\(wire.height), stride \(wire.stride), offset \(wire.offset)")
    }
    let counts = kind == .memfd ? 1...UInt32(FRAMEPATH_MAX_RANGES) : 0...0
    guard counts.contains(wire.range_count) else { throw .malformed("IMPORT_BUFFER with \(wire.range_count) ranges") }
    self.init(
      bufferID: wire.buffer_id, scanout: wire.scanout, generation: wire.generation, layout: layout,
      modifier: wire.modifier, memoryKind: kind, rangeCount: Int(wire.range_count),
      waits: wire.flags & FRAMEPATH_BUFFER_AT_ONCE == 0)
  }
}
