import DaemonSettings
import GraphicsMemory
import Outputs
import Scanout

/// Draws frames that an output cannot scan out directly into buffers of its mode's size: the picture centred or cropped
/// on black, the cursor on top.
final class Composer {
  struct Result {
    let buffer: any ScanoutBuffer
    let damage: DamageRegion
    let originX: Int
    let originY: Int
    let copiedBytes: UInt64
  }

  /// A frame that is drawn into the back buffer in parts.
  private struct Drawing {
    let frame: SurfaceFrame
    let cursor: SurfaceCursor?
    let painting: Painting
    let damage: DamageRegion
    var brush: RegionBrush
    var copiedBytes: UInt64 = 0

    func shows(_ other: SurfaceFrame) -> Bool { frame.number == other.number && frame.buffer === other.buffer }

    func hasCursor(_ other: SurfaceCursor?) -> Bool {
      guard let cursor, let other else { return cursor == nil && other == nil }
      return cursor.buffer === other.buffer && cursor.x == other.x && cursor.y == other.y
    }
  }

  private struct Geometry: Equatable {
    var source: Rect
    var layout: FrameLayout
  }

  private let output: any Output
  private let workers: CopyWorkers
  /// `nil` until the first frame is composed.
  private var chain: SwapChain?
  private var ring = DamageRing(bufferCount: SwapChain.bufferCount, bounds: .empty)
  /// The last picture's geometry; `nil` if the next picture must be drawn completely.
  private var geometry: Geometry?
  private var lastCursor = Rect.empty
  private var ledger = CopyLedger()
  private var drawing: Drawing?

  init(_ output: any Output, workers: CopyWorkers) {
    self.output = output
    self.workers = workers
  }

  /// Makes the next picture be drawn completely, because something else was on screen.
  func invalidate() { geometry = nil }

  /// Swaps the buffers after a commit of the result of `compose`.
  func committed() { chain?.swap() }

  /// Whether a frame is being drawn, or is drawn and not composed yet.
  func isDrawing(_ frame: SurfaceFrame) -> Bool { drawing?.shows(frame) ?? false }

  /// Draws a part of a frame with the damage since the last one, until the deadline. Returns false if some of it is
  /// left.
  func draw(
    _ frame: SurfaceFrame, _ damage: DamageRegion, cursor: SurfaceCursor?, until deadline: PaintDeadline
  ) throws(OutputError) -> Bool {
    if drawing?.shows(frame) != true || drawing?.hasCursor(cursor) != true {
      try begin(frame, damage, cursor: cursor)
    }
    guard var current = drawing.take(), let chain else { return true }
    let before = ledger.copiedBytes
    let isDone = current.brush.draw(
      current.painting, into: chain.back.mapped, upTo: .max, until: deadline, workers, &ledger)
    current.copiedBytes += ledger.copiedBytes - before
    drawing = current
    return isDone
  }

  /// Draws the rest of a frame, and returns its picture.
  func compose(
    _ frame: SurfaceFrame, _ damage: DamageRegion, cursor: SurfaceCursor?
  ) throws(OutputError) -> Result {
    _ = try draw(frame, damage, cursor: cursor, until: .never)
    guard let done = drawing.take(), let chain else { throw .rejected("the picture of the frame is lost") }
    return Result(
      buffer: chain.back.buffer, damage: done.damage, originX: done.painting.originX, originY: done.painting.originY,
      copiedBytes: done.copiedBytes)
  }

  private func begin(
    _ frame: SurfaceFrame, _ changed: DamageRegion, cursor: SurfaceCursor?
  ) throws(OutputError) {
    let chain = try preparedChain(output.info.mode)
    if let lost = drawing.take() { ring.add(lost.brush.region, toBuffer: chain.backIndex) }
    let source = try frame.buffer.buffer.mapped()
    let painting = Painting(
      screen: chain.bounds, picture: source, of: frame.buffer.buffer, source: frame.source,
      cursor: try cursor.map { (cursor) throws(OutputError) in
        Painting.Sprite(picture: try cursor.buffer.buffer.mapped(), x: cursor.x, y: cursor.y)
      })
    let damage = changes(frame, changed, painting, chain.bounds)
    ring.add(damage)
    let brush = RegionBrush(ring.takeDamage(ofBuffer: chain.backIndex), bounds: chain.bounds)
    drawing = Drawing(frame: frame, cursor: cursor, painting: painting, damage: damage, brush: brush)
  }

  /// The damage relative to the last composed picture.
  private func changes(
    _ frame: SurfaceFrame, _ changed: DamageRegion, _ painting: Painting, _ screen: Rect
  ) -> DamageRegion {
    let now = Geometry(source: frame.source, layout: frame.buffer.buffer.layout)
    let cursorNow = painting.cursorBounds
    defer {
      geometry = now
      lastCursor = cursorNow
    }
    if geometry != now { return DamageRegion(screen) }
    var damage = DamageRegion()
    for index in 0..<changed.count { damage.add(painting.onScreen(changed[index])) }
    damage.add(lastCursor)
    damage.add(cursorNow)
    return damage
  }

  private func preparedChain(_ mode: DisplayMode) throws(OutputError) -> SwapChain {
    if let chain, chain.bounds.width == mode.width, chain.bounds.height == mode.height { return chain }
    chain = nil
    drawing = nil
    let made = try SwapChain(output, width: mode.width, height: mode.height)
    ring.invalidate(bounds: made.bounds)
    geometry = nil
    chain = made
    return made
  }
}
