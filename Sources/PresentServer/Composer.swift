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

  init(_ output: any Output, workers: CopyWorkers) {
    self.output = output
    self.workers = workers
  }

  /// Makes the next picture be drawn completely, because something else was on screen.
  func invalidate() { geometry = nil }

  /// Swaps the buffers after a commit of the result of `compose`.
  func committed() { chain?.swap() }

  /// Draws a frame into the back buffer.
  func compose(_ frame: Presenter.Frame, cursor: Presenter.Cursor?) throws(OutputError) -> Result {
    let chain = try preparedChain(output.info.mode)
    let source = try frame.buffer.buffer.mapped()
    let painting = Painting(
      screen: chain.bounds, picture: source, source: frame.source,
      cursor: try cursor.map { (cursor) throws(OutputError) in
        Painting.Sprite(picture: try cursor.buffer.buffer.mapped(), x: cursor.x, y: cursor.y)
      })
    let damage = changes(frame, painting, chain.bounds)
    ring.add(damage)
    let before = ledger.copiedBytes
    painting.paint(ring.takeDamage(ofBuffer: chain.backIndex), into: chain.back.mapped, workers, &ledger)
    return Result(
      buffer: chain.back.buffer, damage: damage, originX: painting.originX, originY: painting.originY,
      copiedBytes: ledger.copiedBytes - before)
  }

  /// The damage relative to the last composed picture.
  private func changes(_ frame: Presenter.Frame, _ painting: Painting, _ screen: Rect) -> DamageRegion {
    let now = Geometry(source: frame.source, layout: frame.buffer.buffer.layout)
    let cursorNow = painting.cursorBounds
    defer {
      geometry = now
      lastCursor = cursorNow
    }
    if geometry != now { return DamageRegion(screen) }
    var damage = DamageRegion()
    for index in 0..<frame.damage.count { damage.add(painting.onScreen(frame.damage[index])) }
    damage.add(lastCursor)
    damage.add(cursorNow)
    return damage
  }

  private func preparedChain(_ mode: DisplayMode) throws(OutputError) -> SwapChain {
    if let chain, chain.bounds.width == mode.width, chain.bounds.height == mode.height { return chain }
    chain = nil
    let made = try SwapChain(output, width: mode.width, height: mode.height)
    ring.invalidate(bounds: made.bounds)
    geometry = nil
    chain = made
    return made
  }
}
