import Glibc
public import GraphicsMemory
import LinuxIO
public import Scanout
public import VirtioGPU

/// A display without a screen: it makes buffers of memfds and records all calls.
public final class RecordingDisplay: GPUDisplay {
  /// A call of `setCursor`.
  public struct CursorCall: Equatable, Sendable {
    /// The scanout.
    public var scanout: Int
    /// The picture; nil hides it.
    public var bufferID: UInt32?
    /// Of the picture's corner.
    public var x: Int
    /// Of the picture's corner.
    public var y: Int
    /// The hotspot in the picture.
    public var hotX: Int
    /// The hotspot in the picture.
    public var hotY: Int

    /// A call with those arguments.
    public init(scanout: Int, bufferID: UInt32?, x: Int, y: Int, hotX: Int, hotY: Int) {
      self.scanout = scanout
      self.bufferID = bufferID
      self.x = x
      self.y = y
      self.hotX = hotX
      self.hotY = hotY
    }
  }

  /// The monitors.
  public var heads: [HeadDescription?]
  /// Whether `makeBuffer` and `makeCursorBuffer` return nil.
  public var refusesBuffers = false
  /// The reason with which `importBuffer` refuses; nil if it does not.
  public var importRefusal: String? = "no imports here"
  /// Whether `importBuffer` gets no answer.
  public var isImportUnavailable = false
  /// Padding between the rows of a buffer in bytes, as for hardware that requires aligned rows.
  public var padByteCount = 0
  /// Whether to remember frames, not only count them.
  public var recordsFrames = true

  /// Every buffer made and not destroyed.
  public private(set) var buffers: [UInt32: HostBuffer] = [:]
  /// The buffers of `importBuffer`, destroyed ones too, in order.
  public private(set) var imports: [UInt32] = []
  /// `importBuffer` calls.
  public private(set) var importCount = 0
  /// The ranges of the last one.
  public private(set) var importedRanges: [MemoryRange] = []
  /// The layout of the last one.
  public private(set) var importedLayout: FrameLayout?
  /// Every `destroyBuffer` call.
  public private(set) var destroyed: [UInt32] = []
  /// `makeBuffer` and `makeCursorBuffer` calls, refused ones too.
  public private(set) var requestCount = 0
  /// Every frame, where `recordsFrames`.
  public private(set) var frames: [FrameSubmission] = []
  /// How many frames there were.
  public private(set) var frameCount = 0
  /// The buffer of the last frame.
  public private(set) var lastBufferID: UInt32 = 0
  /// Scanouts blanked, in order.
  public private(set) var disabled: [Int] = []
  /// Every `setCursor` call.
  public private(set) var cursors: [CursorCall] = []
  /// Every `setPath` call: `0 copy: why`.
  public private(set) var paths: [String] = []
  private var nextID: UInt32 = 1
  private var owners: [UInt32: Int] = [:]

  /// One monitor per mode.
  public init(modes: [DisplayMode] = [DisplayMode(width: 1024, height: 768, refreshMillihertz: 60_000)]) {
    heads = modes.enumerated().map { HeadDescription(connected: true, mode: $1, name: "recorder-\($0)") }
  }

  /// The daemon has died, and its buffers with it.
  public func forgetBuffers() { buffers.removeAll() }

  /// The scanout has moved to another output, which destroys its buffers.
  public func forgetBuffers(scanout: Int) { buffers = buffers.filter { owners[$0.key] != scanout } }

  /// The pixel of a buffer.
  public func pixel(_ bufferID: UInt32, _ x: Int, _ y: Int) -> UInt32? {
    guard let mapped = buffers[bufferID]?.mapped, x < mapped.layout.width, y < mapped.layout.height else { return nil }
    return mapped.pixels.loadUnaligned(fromByteOffset: y * mapped.layout.strideBytes + x * 4, as: UInt32.self)
  }

  /// All pixels of a buffer, row by row.
  public func pixels(_ bufferID: UInt32) -> [UInt32] {
    guard let layout = buffers[bufferID]?.mapped.layout else { return [] }
    return (0..<layout.height).flatMap { y in (0..<layout.width).compactMap { x in pixel(bufferID, x, y) } }
  }

  /// The monitor of `heads`.
  public func head(_ scanout: Int) -> HeadDescription? { scanout < heads.count ? heads[scanout] : nil }

  /// A memfd of that size.
  public func makeBuffer(scanout: Int, width: Int, height: Int, format: PixelFormat) -> HostBuffer? {
    make(scanout, width: width, height: height, format: format)
  }

  /// A memfd of 64 × 64 pixels.
  public func makeCursorBuffer(scanout: Int) -> HostBuffer? { make(scanout, width: 64, height: 64, format: .argb8888) }

  /// Maps the pages, so that `pixel` reads the guest's current pixels.
  public func importBuffer(scanout: Int, layout: FrameLayout, ranges: [MemoryRange]) -> BufferImport {
    importCount += 1
    importedRanges = ranges
    importedLayout = layout
    if isImportUnavailable { return .unavailable(reason: "no answer") }
    if let importRefusal { return .refused(reason: importRefusal) }
    do {
      // The caller keeps its descriptors.
      var owners: [Int32: SharedFD] = [:]
      for range in ranges where owners[range.fd] == nil {
        owners[range.fd] = try duplicate(range.fd)
      }
      let kept = ranges.map { range in
        MemoryRange(fd: owners[range.fd]?.raw ?? -1, offset: range.offset, byteCount: range.byteCount)
      }
      let checked = try MemoryRange.checked(kept, descriptors: Array(owners.values), layout: layout)
      let mapped = try MappedBuffer(reading: checked, owners: Array(owners.values), layout: layout)
      let id = register(HostBuffer(id: nextID, mapped: mapped), scanout)
      imports.append(id)
      return .imported(id: id)
    } catch {
      return .refused(reason: "\(error)")
    }
  }

  /// Forgets it at once.
  public func destroyBuffer(_ id: UInt32) {
    destroyed.append(id)
    buffers[id] = nil
  }

  /// Records the frame; the recorder's owner answers it.
  public func present(_ frame: FrameSubmission) {
    frameCount += 1
    lastBufferID = frame.bufferID
    if recordsFrames { frames.append(frame) }
  }

  /// Remembers it.
  public func disable(scanout: Int) { disabled.append(scanout) }

  /// Remembers it.
  public func setCursor(scanout: Int, bufferID: UInt32?, x: Int, y: Int, hotX: Int, hotY: Int) {
    cursors.append(CursorCall(scanout: scanout, bufferID: bufferID, x: x, y: y, hotX: hotX, hotY: hotY))
  }

  /// Remembers it.
  public func setPath(scanout: Int, path: FramePath, reason: String) { paths.append("\(scanout) \(path): \(reason)") }

  private func make(_ scanout: Int, width: Int, height: Int, format: PixelFormat) -> HostBuffer? {
    requestCount += 1
    let stride = width * PixelFormat.bytesPerPixel + padByteCount
    guard !refusesBuffers,
      let layout = FrameLayout(width: width, height: height, strideBytes: stride, format: format),
      layout.byteCount <= 1 << 28,
      let fd = try? MemFD.create(name: "recorder", byteCount: stride * height),
      let mapped = try? MappedBuffer(fd: SharedFD(fd), kind: .memfd, layout: layout, byteCount: stride * height)
    else { return nil }
    let buffer = HostBuffer(id: nextID, mapped: mapped)
    register(buffer, scanout)
    return buffer
  }

  private func duplicate(_ fd: Int32) throws -> SharedFD {
    let copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw SystemError(call: "fcntl", code: errno) }
    return SharedFD(OwnedFD(taking: copy))
  }

  @discardableResult
  private func register(_ buffer: HostBuffer, _ scanout: Int) -> UInt32 {
    buffers[buffer.id] = buffer
    owners[buffer.id] = scanout
    nextID += 1
    return buffer.id
  }
}
