public import LinuxIO
public import Scanout

/// A client's picture in scattered parts of huge pages; what is read of it is copied into one piece before.
///
/// Huge pages are mapped whole, so their parts cannot be mapped one directly after the other.
@safe public final class GatheredPages {
  /// The picture, as it was when its parts were copied last; black where none was. The memory is always the same.
  public let picture: MappedBuffer
  /// The mapped part of each file.
  private let windows: [Window]
  /// The ranges in the picture's order.
  private let segments: ContiguousArray<MemorySegment>
  private let byteCount: Int
  /// The copies made by `copy`.
  public private(set) var ledger = CopyLedger()

  private final class Window {
    let mapping: Mapping

    init(_ mapping: consuming Mapping) { self.mapping = mapping }
  }

  /// Maps the ranges' files from the first to the last byte that the ranges have of them.
  ///
  /// - Parameter ranges: as `MemoryRange.checked` returned them; their descriptors may be closed afterwards.
  public init(_ ranges: [MemoryRange], layout: FrameLayout) throws(SystemError) {
    var extents: [Int32: Range<Int>] = [:]
    for range in ranges {
      let old = extents[range.fd] ?? range.offset..<range.offset
      let end = range.offset + range.byteCount
      extents[range.fd] = min(old.lowerBound, range.offset)..<max(old.upperBound, end)
    }
    var windows: [Int32: Window] = [:]
    for (fd, extent) in extents {
      windows[fd] = Window(
        try Mapping(fd: fd, offset: extent.lowerBound, byteCount: extent.count, writable: false))
    }
    var segments = unsafe ContiguousArray<MemorySegment>()
    var start = 0
    for range in ranges {
      guard let window = windows[range.fd], let extent = extents[range.fd] else { continue }
      // SAFETY: the window has its file's extent, and the range is in it.
      let base = unsafe window.mapping.base + (range.offset - extent.lowerBound)
      unsafe segments.append(MemorySegment(start: start, byteCount: range.byteCount, base: base))
      start += range.byteCount
    }
    byteCount = layout.byteCount
    let memory = SharedFD(try MemFD.create(name: "framepath-gathered", byteCount: byteCount))
    picture = try MappedBuffer(fd: memory, kind: .memfd, layout: layout, byteCount: byteCount)
    self.windows = Array(windows.values)
    unsafe self.segments = segments
  }

  /// Copies the current pixels of a rectangle to the picture.
  public func copy(_ rect: Rect) {
    let layout = picture.layout
    let part = rect.intersection(Rect(width: layout.width, height: layout.height))
    if part.isEmpty { return }
    let place = part.y * layout.strideBytes + part.x * PixelFormat.bytesPerPixel
    // SAFETY: the segments are mapped as long as this object lives, and the part is inside the layout, whose bytes the
    // picture holds.
    unsafe segments.withUnsafeBufferPointer { segments in
      unsafe ledger.copyRows(
        part.height, rowBytes: part.width * PixelFormat.bytesPerPixel, from: segments, offset: layout.offset + place,
        sourceStrideBytes: layout.strideBytes, to: picture.pixels + place, destinationStrideBytes: layout.strideBytes)
    }
  }

  /// Whether memory was missing at a copy: it has been taken away, and zeros are in its place.
  public var isSpoilt: Bool { windows.contains { $0.mapping.isSpoilt } }
}
