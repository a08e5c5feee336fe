public import Scanout

/// Counts every byte that a CPU copies for a frame. All pixel copies of the product go through it.
public struct CopyLedger: Sendable, Equatable {
  /// The total of copied bytes.
  public private(set) var copiedBytes: UInt64 = 0
  /// The total of calls of memcpy, or of the conversion.
  public private(set) var copyCalls: UInt64 = 0

  /// A ledger without copies.
  public init() {}

  /// Copies `byteCount` bytes that do not overlap, and counts them.
  public mutating func copy(
    _ byteCount: Int, from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer
  ) {
    unsafe copyRows(
      1, rowBytes: byteCount, from: source, sourceStrideBytes: byteCount, to: destination,
      destinationStrideBytes: byteCount)
  }

  /// Copies a rectangle row by row between two pictures of the same pixel format, and counts it.
  ///
  /// The caller has checked that `rect` is inside both pictures. Whole rows of equal strides are copied in one piece.
  /// - Parameter workers: threads that help with a large copy; nil keeps it on the calling thread.
  public mutating func copyRect(
    _ rect: Rect, from source: UnsafeRawPointer, sourceStrideBytes: Int, to destination: UnsafeMutableRawPointer,
    destinationStrideBytes: Int, workers: CopyWorkers? = nil
  ) {
    let skippedBytes = rect.x * PixelFormat.bytesPerPixel
    unsafe copyRows(
      rect.height, rowBytes: rect.width * PixelFormat.bytesPerPixel,
      from: source + rect.y * sourceStrideBytes + skippedBytes, sourceStrideBytes: sourceStrideBytes,
      to: destination + rect.y * destinationStrideBytes + skippedBytes, destinationStrideBytes: destinationStrideBytes,
      workers: workers)
  }

  /// Copies `rowCount` rows of `rowBytes`, the first of them at `source`, and counts them.
  ///
  /// The caller has checked that the rows are memory on both sides, and do not overlap.
  public mutating func copyRows(
    _ rowCount: Int, rowBytes: Int, from source: UnsafeRawPointer, sourceStrideBytes: Int,
    to destination: UnsafeMutableRawPointer, destinationStrideBytes: Int, workers: CopyWorkers? = nil
  ) {
    unsafe perform(
      CopyJob(
        source: .memory(source), sourceStrideBytes: sourceStrideBytes, destination: destination,
        destinationStrideBytes: destinationStrideBytes, rowBytes: rowBytes, rowCount: rowCount), workers)
  }

  /// Copies `rowCount` rows of `rowBytes`, the first of them at byte `offset` of the segments' sequence, and counts them.
  ///
  /// Bytes past the last segment are left out. The caller has checked that the rows fit the destination.
  public mutating func copyRows(
    _ rowCount: Int, rowBytes: Int, from segments: UnsafeBufferPointer<MemorySegment>, offset: Int,
    sourceStrideBytes: Int, to destination: UnsafeMutableRawPointer, destinationStrideBytes: Int,
    workers: CopyWorkers? = nil
  ) {
    unsafe perform(
      CopyJob(
        source: .segments(segments, offset: offset), sourceStrideBytes: sourceStrideBytes, destination: destination,
        destinationStrideBytes: destinationStrideBytes, rowBytes: rowBytes, rowCount: rowCount), workers)
  }

  /// Copies a rectangle into an XRGB8888 picture, converting the pixels if their format differs, and counts the bytes
  /// written.
  ///
  /// The unused byte of the result is undefined. The caller has checked that both rectangles are inside their pictures.
  /// - Parameters:
  ///   - rect: the rectangle in the source.
  ///   - format: the format of the source.
  ///   - destination: the position of the rectangle's first pixel.
  ///   - workers: threads that help with a large copy; nil keeps it on the calling thread.
  public mutating func convertRect(
    _ rect: Rect, from source: UnsafeRawPointer, sourceStrideBytes: Int, format: PixelFormat,
    to destination: UnsafeMutableRawPointer, destinationStrideBytes: Int, workers: CopyWorkers? = nil
  ) {
    unsafe perform(
      CopyJob(
        source: .memory(source + rect.y * sourceStrideBytes + rect.x * PixelFormat.bytesPerPixel),
        sourceStrideBytes: sourceStrideBytes, destination: destination,
        destinationStrideBytes: destinationStrideBytes, rowBytes: rect.width * PixelFormat.bytesPerPixel,
        rowCount: rect.height, convertedFormat: format.opaque == .xrgb8888 ? nil : format), workers)
  }

  private mutating func perform(_ job: CopyJob, _ workers: CopyWorkers?) {
    guard unsafe job.rowBytes > 0, unsafe job.rowCount > 0 else { return }
    let tally = unsafe workers?.perform(job) ?? job.copy(0..<job.rowCount)
    copiedBytes &+= UInt64(tally.bytes)
    copyCalls &+= UInt64(tally.calls)
  }
}
