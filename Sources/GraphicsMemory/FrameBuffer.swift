public import LinuxIO
public import Scanout

/// How a picture lies in memory.
public struct FrameLayout: Equatable, Sendable {
  /// Pixels across.
  public let width: Int
  /// Pixels down.
  public let height: Int
  /// Bytes from one row to the next.
  public let strideBytes: Int
  /// Bytes before the first pixel.
  public let offset: Int
  /// The pixels' layout.
  public let format: PixelFormat

  /// The most pixels across or down that anything here accepts.
  public static let maxDimension = 16384

  /// A layout, or nil where the numbers contradict each other or overflow.
  ///
  /// Safe for numbers from outside: width and height of 1 to 16384, a stride that holds a row.
  public init?(width: Int, height: Int, strideBytes: Int, offset: Int = 0, format: PixelFormat) {
    guard (1...FrameLayout.maxDimension).contains(width), (1...FrameLayout.maxDimension).contains(height),
      strideBytes >= width * PixelFormat.bytesPerPixel, strideBytes <= 1 << 20, offset >= 0, offset < 1 << 40
    else { return nil }
    self.width = width
    self.height = height
    self.strideBytes = strideBytes
    self.offset = offset
    self.format = format
  }

  /// Bytes that memory must have to hold the picture: offset, whole rows, and the last row's pixels.
  public var byteCount: Int { offset + strideBytes * (height - 1) + width * PixelFormat.bytesPerPixel }

  /// All pixels.
  public var bounds: Rect { Rect(width: width, height: height) }
}

/// What kind of descriptor stands for a buffer's memory.
public enum MemoryKind: UInt32, Sendable {
  /// A sealed memfd.
  case memfd = 1
  /// A dma-buf: CPU access is bracketed by `DMA_BUF_IOCTL_SYNC`.
  case dmaBuf = 2
}

/// A host buffer mapped for the CPU's writes.
///
/// Owned by one thread. The mapping may be write-combined scan-out memory: never read frames back through it on the
/// frame path.
@safe public final class MappedBuffer {
  /// The picture in it.
  public let layout: FrameLayout
  /// What `fd` is.
  public let kind: MemoryKind
  /// The memory's descriptor.
  public let fd: SharedFD
  private let mapping: Mapping

  /// Maps `byteCount` bytes of `fd`, which must hold the layout.
  ///
  /// - Parameter writable: false for memory that is only read, which may be sealed or opened against writes.
  public init(
    fd: SharedFD, kind: MemoryKind, layout: FrameLayout, byteCount: Int, writable: Bool = true
  ) throws(SystemError) {
    guard byteCount >= layout.byteCount else {
      throw SystemError(
        call: "buffer", code: 22, subject: "\(byteCount) bytes are fewer than the layout's \(layout.byteCount)")
    }
    mapping = try Mapping(fd: fd.raw, byteCount: byteCount, writable: writable)
    self.fd = fd
    self.kind = kind
    self.layout = layout
  }

  /// Maps memfd ranges for reading, one directly behind the other.
  ///
  /// - Parameters:
  ///   - ranges: as `MemoryRange.checked` returned them.
  ///   - owners: the descriptors that the ranges name.
  public init(reading ranges: [MemoryRange], owners: [SharedFD], layout: FrameLayout) throws(SystemError) {
    guard let owner = owners.first(where: { $0.raw == ranges.first?.fd }) else {
      throw SystemError(call: "buffer", code: 9, subject: "a range names a descriptor that is not there")
    }
    mapping = try Mapping(
      pieces: ranges.map { Mapping.Piece(fd: $0.fd, offset: $0.offset, byteCount: $0.byteCount) }, writable: false)
    guard mapping.byteCount >= layout.byteCount else {
      throw SystemError(
        call: "buffer", code: 22, subject: "\(mapping.byteCount) bytes are fewer than the layout's \(layout.byteCount)")
    }
    fd = owner
    kind = .memfd
    self.layout = layout
  }

  /// First byte of the first pixel.
  public var pixels: UnsafeMutableRawPointer { unsafe mapping.base + layout.offset }

  /// Bytes mapped from the first pixel on.
  public var pixelByteCount: Int { mapping.byteCount - layout.offset }

  /// Call before and after CPU access; costs nothing for a memfd.
  public func beginAccess(read: Bool = false) { if kind == .dmaBuf { DMABuf.beginAccess(fd.raw, read: read) } }
  /// Ends what `beginAccess` began.
  public func endAccess(read: Bool = false) { if kind == .dmaBuf { DMABuf.endAccess(fd.raw, read: read) } }
}
