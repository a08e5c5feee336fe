import Scanout

/// A contiguous run of bytes in a longer sequence, such as a part of a guest's buffer in guest memory.
@unsafe public struct MemorySegment {
  /// The bytes of the sequence before this run.
  public var start: Int
  /// The length in bytes.
  public var byteCount: Int
  /// Its first byte.
  public var base: UnsafeRawPointer

  /// `byteCount` bytes at `base`.
  public init(start: Int, byteCount: Int, base: UnsafeRawPointer) {
    unsafe self.start = start
    unsafe self.byteCount = byteCount
    unsafe self.base = base
  }
}

/// The bytes and calls of a copy.
struct CopyTally: Equatable {
  var bytes = 0
  var calls = 0

  static func += (left: inout CopyTally, right: CopyTally) {
    left.bytes &+= right.bytes
    left.calls &+= right.calls
  }
}

/// Rows to copy; any range of them can be copied separately, on any thread.
///
/// A guest may write the source at the same time: each byte of the copy then has its old or its new value.
@unsafe struct CopyJob {
  /// The source of the rows.
  @unsafe enum Source {
    /// The address of the first row.
    case memory(UnsafeRawPointer)
    /// Segments in order, and the offset of the first row in their sequence. Bytes past the end are left out.
    case segments(UnsafeBufferPointer<MemorySegment>, offset: Int)
  }

  var source: Source
  var sourceStrideBytes: Int
  var destination: UnsafeMutableRawPointer
  var destinationStrideBytes: Int
  var rowBytes: Int
  var rowCount: Int
  /// The format of the source, if it is converted to XRGB8888; for `.memory` only.
  var convertedFormat: PixelFormat?

  var byteCount: Int { unsafe rowBytes * rowCount }

  /// Copies some of the rows.
  func copy(_ rows: Range<Int>) -> CopyTally {
    if rows.isEmpty { return CopyTally() }
    let to = unsafe destination + rows.lowerBound * destinationStrideBytes
    switch unsafe source {
    case .memory(let base):
      let from = unsafe base + rows.lowerBound * sourceStrideBytes
      if let format = unsafe convertedFormat { return unsafe convert(rows.count, format, from: from, to: to) }
      return unsafe copy(rows.count, from: from, to: to)
    case .segments(let segments, let offset):
      return unsafe copy(rows.count, from: segments, offset + rows.lowerBound * sourceStrideBytes, to: to)
    }
  }

  /// Whether each row begins where the one before ends, in source and destination.
  private var isContiguous: Bool { unsafe rowBytes == sourceStrideBytes && rowBytes == destinationStrideBytes }

  private func copy(_ count: Int, from: UnsafeRawPointer, to: UnsafeMutableRawPointer) -> CopyTally {
    if unsafe isContiguous {
      unsafe to.copyMemory(from: from, byteCount: count * rowBytes)
      return unsafe CopyTally(bytes: count * rowBytes, calls: 1)
    }
    for row in 0..<count {
      unsafe (to + row * destinationStrideBytes).copyMemory(from: from + row * sourceStrideBytes, byteCount: rowBytes)
    }
    return unsafe CopyTally(bytes: count * rowBytes, calls: count)
  }

  private func copy(
    _ count: Int, from segments: UnsafeBufferPointer<MemorySegment>, _ offset: Int, to: UnsafeMutableRawPointer
  ) -> CopyTally {
    var tally = CopyTally()
    var index = unsafe CopyJob.segmentIndex(segments, offset)
    if unsafe isContiguous {
      unsafe CopyJob.copyBytes(count * rowBytes, from: segments, offset, to: to, &index, &tally)
      return tally
    }
    for row in 0..<count {
      unsafe CopyJob.copyBytes(
        rowBytes, from: segments, offset + row * sourceStrideBytes, to: to + row * destinationStrideBytes, &index,
        &tally)
    }
    return tally
  }

  /// Copies bytes from `offset` on; `index` is a segment at or before it, and advances.
  private static func copyBytes(
    _ count: Int, from segments: UnsafeBufferPointer<MemorySegment>, _ offset: Int, to: UnsafeMutableRawPointer,
    _ index: inout Int, _ tally: inout CopyTally
  ) {
    var done = 0
    while done < count, index < segments.count {
      let segment = unsafe segments[index]
      let skip = unsafe offset + done - segment.start
      let length = unsafe min(count - done, segment.byteCount - skip)
      guard length > 0 else {
        index += 1
        continue
      }
      // SAFETY: `skip` and the `length` bytes after it are inside the segment, since rows only move forward from one that
      // began at or before `offset`; the destination has room by the caller's check.
      unsafe (to + done).copyMemory(from: segment.base + skip, byteCount: length)
      tally += CopyTally(bytes: length, calls: 1)
      done += length
    }
  }

  /// The segment that contains byte `offset` of the sequence, or the last one.
  private static func segmentIndex(_ segments: UnsafeBufferPointer<MemorySegment>, _ offset: Int) -> Int {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if unsafe segments[middle].start <= offset { low = middle + 1 } else { high = middle }
    }
    return max(low - 1, 0)
  }

  private func convert(
    _ count: Int, _ format: PixelFormat, from: UnsafeRawPointer, to: UnsafeMutableRawPointer
  ) -> CopyTally {
    let bytesPerPixel = PixelFormat.bytesPerPixel
    let (red, green, blue, _) = format.shifts
    let columns = unsafe rowBytes / bytesPerPixel
    for row in 0..<count {
      let from = unsafe from + row * sourceStrideBytes
      let to = unsafe to + row * destinationStrideBytes
      for column in 0..<columns {
        let pixel = unsafe from.load(fromByteOffset: column * bytesPerPixel, as: UInt32.self)
        let converted = (pixel >> red & 0xff) << 16 | (pixel >> green & 0xff) << 8 | pixel >> blue & 0xff
        unsafe to.storeBytes(of: converted, toByteOffset: column * bytesPerPixel, as: UInt32.self)
      }
    }
    return unsafe CopyTally(bytes: count * rowBytes, calls: 1)
  }
}
