import Glibc
public import LinuxIO
public import Scanout

/// The layout of a picture in memory.
public struct FrameLayout: Equatable, Sendable {
  /// Width in pixels.
  public let width: Int
  /// Height in pixels.
  public let height: Int
  /// The distance from one row to the next in bytes.
  public let strideBytes: Int
  /// The bytes before the first pixel.
  public let offset: Int
  /// The format of the pixels.
  public let format: PixelFormat

  /// The largest accepted width or height in pixels.
  public static let maxDimension = 16384

  /// A layout; nil if the numbers contradict each other or overflow.
  ///
  /// Safe for numbers from outside: accepts a width and height of 1 to 16384, and a stride that holds a row.
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

  /// The bytes that memory must have for the picture: offset, whole rows, and the pixels of the last row.
  public var byteCount: Int { offset + strideBytes * (height - 1) + width * PixelFormat.bytesPerPixel }

  /// The rectangle of all pixels.
  public var bounds: Rect { Rect(width: width, height: height) }
}

/// The kinds of memory behind a buffer's descriptor.
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
  /// The layout of the pixels.
  public let layout: FrameLayout
  /// The kind of memory behind `fd`.
  public let kind: MemoryKind
  /// The memory's descriptor.
  public let fd: SharedFD
  private let mapping: Mapping

  /// Maps `byteCount` bytes of `fd`, which must hold the layout.
  ///
  /// - Parameter writable: false for memory that is only read, and may be sealed or opened read-only.
  public init(
    fd: SharedFD, kind: MemoryKind, layout: FrameLayout, byteCount: Int, writable: Bool = true
  ) throws(SystemError) {
    guard byteCount >= layout.byteCount else {
      throw SystemError(
        call: "buffer", code: EINVAL, subject: "\(byteCount) bytes are too few for the layout's \(layout.byteCount)")
    }
    mapping = try Mapping(fd: fd.raw, byteCount: byteCount, writable: writable)
    self.fd = fd
    self.kind = kind
    self.layout = layout
  }

  /// Maps memfd ranges for reading, one directly after the other.
  ///
  /// - Parameters:
  ///   - ranges: as `MemoryRange.checked` returned them; parts of huge pages only if `canMap` says so.
  ///   - owners: the owners of the ranges' descriptors.
  public init(reading ranges: [MemoryRange], owners: [SharedFD], layout: FrameLayout) throws(SystemError) {
    guard let owner = owners.first(where: { $0.raw == ranges.first?.fd }) else {
      throw SystemError(call: "buffer", code: EBADF, subject: "a range names an unknown descriptor")
    }
    mapping = try Mapping(pieces: ranges.map(\.piece), writable: false)
    guard mapping.byteCount >= layout.byteCount else {
      throw SystemError(
        call: "buffer", code: EINVAL,
        subject: "\(mapping.byteCount) bytes are too few for the layout's \(layout.byteCount)"
      )
    }
    fd = owner
    kind = .memfd
    self.layout = layout
  }

  /// Whether ranges can be mapped one directly after the other: hugetlb memory is mapped by whole huge pages only.
  public static func canMap(_ ranges: [MemoryRange]) -> Bool { (try? PiecePlan(ranges.map(\.piece))) != nil }

  /// Whether memory was missing when it was accessed: it has been taken away, and zeros are in its place.
  public var isSpoilt: Bool { mapping.isSpoilt }

  /// The first byte of the first pixel.
  public var pixels: UnsafeMutableRawPointer { unsafe mapping.base + layout.offset }

  /// The mapped bytes from the first pixel on.
  public var pixelByteCount: Int { mapping.byteCount - layout.offset }

  /// Begins CPU access; does nothing for a memfd.
  public func beginAccess(read: Bool = false) { if kind == .dmaBuf { DMABuf.beginAccess(fd.raw, read: read) } }
  /// Ends CPU access.
  public func endAccess(read: Bool = false) { if kind == .dmaBuf { DMABuf.endAccess(fd.raw, read: read) } }
}
