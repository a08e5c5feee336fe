import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import Scanout

/// A snapshot being drawn, band by band, into a memfd.
///
/// Until it is complete, the frames in it are in use. Neither the frames nor the result are mapped as a whole: to unmap
/// a large picture takes as long as to draw several bands.
final class SnapshotJob {
  /// A frame in the picture.
  struct Part {
    let buffer: ClientBuffer
    let source: Rect
    let cursor: SurfaceCursor?
    /// The part of the picture that it may cover.
    let clip: Rect
    /// The position of the source's first pixel in the picture.
    let originX: Int
    let originY: Int
  }

  private static let bandByteCount = 64 << 10

  /// The finished picture's layout.
  let layout: FrameLayout
  let file: SharedFD
  private var parts: [Part]
  private var band: Band?

  /// - Parameter owner: counts the picture's descriptor, and frees its pages.
  init(_ layout: FrameLayout, _ parts: [Part], for owner: DescriptorAccount) throws(SystemError) {
    self.layout = layout
    file = SharedFD(try MemFD.create(name: "framepath-snapshot", byteCount: layout.byteCount).owned(by: owner))
    self.parts = parts
    for part in parts {
      part.buffer.beginUse()
      part.cursor?.buffer.beginUse()
    }
  }

  deinit { for part in parts { endUse(part) } }

  private func endUse(_ part: Part) {
    part.cursor?.buffer.endUse()
    part.buffer.endUse()
  }

  /// Draws until `deadline` on CLOCK_MONOTONIC; returns whether the picture is complete.
  func draw(until deadline: UInt64) throws -> Bool {
    while let part = parts.first {
      let band = try self.band ?? Band(part, in: layout)
      self.band = band
      repeat {
        if try !band.drawNext(of: part, to: file, layout) {
          self.band = nil
          parts.removeFirst()
          endUse(part)
          break
        }
        if monotonicNanoseconds() >= deadline { return false }
      } while true
    }
    return true
  }
}

/// The rows of a part that are drawn at once.
private final class Band {
  /// The result's pixels.
  private let target: MappedBuffer
  /// The frame's pixels, if they are read from the client's pages.
  private let copy: MappedBuffer?
  private let sprite: Painting.Sprite?
  private let rowCount: Int
  /// The next row of the picture.
  private var row: Int

  init(_ part: SnapshotJob.Part, in layout: FrameLayout) throws {
    row = part.clip.y
    let widest = max(part.clip.width, part.source.width, 1)
    rowCount = max(1, Band.byteCount / (widest * PixelFormat.bytesPerPixel))
    target = try Band.memory(max(part.clip.width, 1), rowCount, .xrgb8888)
    copy =
      part.buffer.pages == nil ? nil : try Band.memory(part.source.width, rowCount, part.buffer.buffer.layout.format)
    sprite = try part.cursor.map { Painting.Sprite(picture: try $0.buffer.buffer.mapped(), x: $0.x, y: $0.y) }
  }

  private static let byteCount = 64 << 10

  private static func memory(_ width: Int, _ height: Int, _ format: PixelFormat) throws -> MappedBuffer {
    guard
      let layout = FrameLayout(
        width: width, height: height, strideBytes: width * PixelFormat.bytesPerPixel, format: format)
    else { throw SnapshotError.failed("cannot allocate \(height) rows of \(width) pixels") }
    let fd = SharedFD(try MemFD.create(name: "framepath-band", byteCount: layout.byteCount))
    return try MappedBuffer(fd: fd, kind: .memfd, layout: layout, byteCount: layout.byteCount)
  }

  /// Draws the next rows; false if there are none left.
  func drawNext(of part: SnapshotJob.Part, to file: SharedFD, _ layout: FrameLayout) throws -> Bool {
    let rows = min(rowCount, part.clip.maxY - row)
    guard rows > 0, part.clip.width > 0 else { return false }
    let screen = Rect(width: part.clip.width, height: rows)
    // The frame's rows in this band; painting uses the band's own coordinates.
    let first = max(row, part.originY)
    let last = min(row + rows, part.originY + part.source.height)
    var picture: MappedBuffer?
    var buffer: (any ScanoutBuffer)?
    var source = Rect.empty
    var top = part.originY
    if first < last {
      if let pages = part.buffer.pages, let copy {
        source = Rect(width: part.source.width, height: last - first)
        try read(pages, part, from: part.source.y + first - part.originY, source.height, into: copy)
        picture = copy
        top = first
      } else {
        source = part.source
        picture = try part.buffer.buffer.mapped()
        buffer = part.buffer.buffer
        if let picture, !isReadable(picture) {
          throw SnapshotError.failed("a driver still writes the frame")
        }
      }
    }
    var cursor = sprite
    if let sprite { cursor?.y = sprite.y + part.originY - top }
    let painting = Painting(
      screen: screen, picture: picture, of: buffer, source: source, cursor: cursor, originX: part.originX - part.clip.x,
      originY: top - row)
    // Copies made for snapshots are not counted.
    var ledger = CopyLedger()
    painting.paint(DamageRegion(screen), into: target, nil, &ledger)
    if picture?.isSpoilt == true { throw SnapshotError.failed(MissingMemory.text) }
    try write(rows, part.clip, to: file, layout)
    row += rows
    return true
  }

  private func read(
    _ pages: ClientPages, _ part: SnapshotJob.Part, from firstRow: Int, _ count: Int, into copy: MappedBuffer
  ) throws(SystemError) {
    let from = part.buffer.buffer.layout
    let length = part.source.width * PixelFormat.bytesPerPixel
    for index in 0..<count {
      let offset =
        from.offset + (firstRow + index) * from.strideBytes + part.source.x * PixelFormat.bytesPerPixel
      let place = copy.pixels + index * copy.layout.strideBytes
      try pages.read(at: offset, into: UnsafeMutableRawBufferPointer(start: place, count: length))
    }
  }

  private func write(_ rows: Int, _ clip: Rect, to file: SharedFD, _ layout: FrameLayout) throws(SystemError) {
    let length = clip.width * PixelFormat.bytesPerPixel
    if clip.x == 0, length == layout.strideBytes {
      let bytes = UnsafeRawBufferPointer(start: target.pixels, count: rows * length)
      return try writeFile(file.raw, at: row * layout.strideBytes, bytes)
    }
    for index in 0..<rows {
      let bytes = UnsafeRawBufferPointer(start: target.pixels + index * target.layout.strideBytes, count: length)
      let offset = (row + index) * layout.strideBytes + clip.x * PixelFormat.bytesPerPixel
      try writeFile(file.raw, at: offset, bytes)
    }
  }
}

/// Whether a buffer can be read without waiting for a driver that writes it.
func isReadable(_ buffer: MappedBuffer) -> Bool {
  guard buffer.kind == .dmaBuf else { return true }
  // A dma-buf is readable when its exclusive fences are signalled (Documentation/driver-api/dma-buf.rst).
  return (try? waitUntilReady(buffer.fd.raw, .readable, timeoutMilliseconds: 0)).map { !$0.isEmpty } ?? true
}
