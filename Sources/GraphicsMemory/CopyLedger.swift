public import Scanout

/// Counts every byte that a CPU copies for a frame. All pixel copies of the product go through it.
public struct CopyLedger: Sendable, Equatable {
  /// Bytes copied in all.
  public internal(set) var copiedBytes: UInt64 = 0
  /// Copy calls in all.
  public internal(set) var copyCalls: UInt64 = 0

  /// Nothing copied yet.
  public init() {}

  /// Copies `byteCount` bytes that do not overlap, and counts them.
  ///
  /// The source may be memory that a guest writes meanwhile: the copy then holds either value, nothing else.
  public mutating func copy(
    _ byteCount: Int, from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer
  ) {
    unsafe destination.copyMemory(from: source, byteCount: byteCount)
    copiedBytes &+= UInt64(byteCount)
    copyCalls &+= 1
  }

  /// Copies a rectangle row by row between two pictures of the same pixel format, and counts it.
  ///
  /// The caller has checked that `rect` lies in both pictures. Whole rows of equal strides go in one piece.
  public mutating func copyRect(
    _ rect: Rect, from source: UnsafeRawPointer, sourceStrideBytes: Int, to destination: UnsafeMutableRawPointer,
    destinationStrideBytes: Int
  ) {
    if rect.isEmpty { return }
    let bytesPerPixel = PixelFormat.bytesPerPixel
    let rowBytes = rect.width * bytesPerPixel
    var from = unsafe source + rect.y * sourceStrideBytes + rect.x * bytesPerPixel
    var to = unsafe destination + rect.y * destinationStrideBytes + rect.x * bytesPerPixel
    if sourceStrideBytes == destinationStrideBytes && rowBytes == sourceStrideBytes {
      unsafe copy(rowBytes * rect.height, from: from, to: to)
      return
    }
    for _ in 0..<rect.height {
      unsafe copy(rowBytes, from: from, to: to)
      unsafe from += sourceStrideBytes
      unsafe to += destinationStrideBytes
    }
  }
}
