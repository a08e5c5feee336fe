import DaemonSettings
import GraphicsMemory
import Outputs
import Scanout

/// Draws frames that an output cannot show as they are into buffers of its mode: black around, the picture centred or
/// cropped, the cursor on top.
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
  /// `nil` until a frame is composed for the first time.
  private var chain: SwapChain?
  private var ring = DamageRing(bufferCount: SwapChain.bufferCount, bounds: .empty)
  /// Of the last picture; `nil` where the next one must be drawn whole.
  private var geometry: Geometry?
  private var lastCursor = Rect.empty
  private var ledger = CopyLedger()

  init(_ output: any Output, workers: CopyWorkers) {
    self.output = output
    self.workers = workers
  }

  /// Something else has been on screen: the next picture is drawn whole.
  func invalidate() { geometry = nil }

  /// The result of `compose` is on its way to the screen.
  func committed() { chain?.swap() }

  /// Draws a frame.
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

  /// What differs from the last picture that was composed.
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
