import GraphicsMemory
import Scanout

/// Draws a region in parts of whole rows, so that the time for a large region can be split.
struct RegionBrush {
  /// The most bytes drawn per copy thread between two checks of the clock: 0.1 to 0.3 ms.
  static let stepBytes = 1 << 20

  let region: DamageRegion
  let pixelCount: Int
  private(set) var drawnPixelCount = 0
  private var index = 0
  private var row = 0

  /// - Parameter bounds: the rectangle that the region is clipped to.
  init(_ region: DamageRegion, bounds: Rect) {
    self.region = region.clipped(to: bounds)
    var count = 0
    for index in 0..<self.region.count { count += self.region[index].width * self.region[index].height }
    pixelCount = count
  }

  var isFinished: Bool { index == region.count }

  /// Continues drawing until `limit` pixels of the region are drawn in total, or until the deadline.
  ///
  /// - Returns: false if the deadline has passed before the limit.
  mutating func draw(
    _ painting: Painting, into target: MappedBuffer, upTo limit: Int, until deadline: PaintDeadline,
    _ workers: CopyWorkers?, _ ledger: inout CopyLedger
  ) -> Bool {
    if isFinished || drawnPixelCount >= limit { return true }
    let stepPixelCount = RegionBrush.stepBytes / PixelFormat.bytesPerPixel * min(workers?.threadCount ?? 1, 4)
    painting.beginAccess(target)
    defer { painting.endAccess(target) }
    while !isFinished, drawnPixelCount < limit {
      if deadline.hasPassed { return false }
      let rect = region[index]
      let wanted = min(limit - drawnPixelCount, stepPixelCount)
      let rows = min(rect.height - row, max(1, (wanted + rect.width - 1) / rect.width))
      let part = Rect(x: rect.x, y: rect.y + row, width: rect.width, height: rows)
      painting.paint(part, into: target, workers, &ledger)
      drawnPixelCount += part.width * part.height
      row += rows
      if row == rect.height { (index, row) = (index + 1, 0) }
    }
    return true
  }
}
