import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// Shows one view's frames on the whole output: scanned out directly if possible, otherwise composed into a buffer of
/// its mode's size.
final class DirectComposition {
  private let output: any Output
  /// The output's name in the protocol.
  private let name: String
  private var fits = FitCache()
  private let composer: Composer
  /// Whether the composer has drawn since it was last invalidated.
  private(set) var isComposed = false
  private var hasCursorPlane: Bool
  /// The view whose frame was committed last; its damage is relative to that frame.
  private var last: VMID?

  init(_ output: any Output, name: String, workers: CopyWorkers) {
    self.output = output
    self.name = name
    composer = Composer(output, workers: workers)
    hasCursorPlane = output.info.cursorSize > 0
  }

  /// Handles a changed output, whose capabilities must be tested again.
  func outputChanged() {
    fits.removeAll()
    hasCursorPlane = output.info.cursorSize > 0
  }

  /// Handles a commit of black or of no content.
  func pictureReplaced() { forgetComposed() }

  /// Makes the next composed picture be drawn completely.
  private func forgetComposed() {
    isComposed = false
    composer.invalidate()
  }

  /// Commits a view's newest frame.
  func commit(_ view: Tile, _ order: CommitOrder, into picture: inout Presenter.Picture) throws(OutputError)
    -> CommitResult
  {
    guard let frame = view.staged?.frame ?? view.latched else { return .empty }
    guard changes(view, order) else { return .unchanged }
    let (x, y) = try show(frame, damage(of: view, frame, order), of: view, order)
    last = view.id
    picture.add(frame, of: view, originX: x, originY: y)
    return .committed
  }

  /// Before a commit: draws a part of a frame that has to be composed as the last one was, until the deadline. Returns
  /// false if some of it is left.
  func prepare(_ view: Tile, _ order: CommitOrder, until deadline: PaintDeadline) throws(OutputError) -> Bool {
    guard isComposed, let frame = view.staged?.frame ?? view.latched, changes(view, order) else { return true }
    let damage = damage(of: view, frame, order)
    var isDirect = frame.buffer.composeReason == nil && (view.cursor == nil || hasCursorPlane)
    if isDirect, case .compose = fit(frame, order) { isDirect = false }
    if isDirect { return true }
    isComposed = true
    return try composer.draw(frame, damage, cursor: hasCursorPlane ? nil : view.cursor, until: deadline)
  }

  /// Whether a commit changes anything: a new frame, a moved cursor, or another picture was on screen.
  private func changes(_ view: Tile, _ order: CommitOrder) -> Bool {
    view.staged != nil || order.isFull || view.isCursorChanged
  }

  /// The damage of a view's frame since the last commit.
  private func damage(of view: Tile, _ frame: SurfaceFrame, _ order: CommitOrder) -> DamageRegion {
    if order.isFull || last != view.id {
      if isComposed, !composer.isDrawing(frame) { forgetComposed() }
      return DamageRegion(frame.source)
    }
    return view.staged?.update.damage ?? DamageRegion()
  }

  private func fit(_ frame: SurfaceFrame, _ order: CommitOrder) -> FitMethod {
    fits.method(for: frame, keeping: order.keptMode) {
      output.fit(frame.buffer.buffer, source: frame.source, keeping: order.keptMode)
    }
  }

  /// Commits a frame directly, or composed where the output cannot show it as it is.
  private func show(
    _ frame: SurfaceFrame, _ damage: DamageRegion, of view: Tile, _ order: CommitOrder
  ) throws(OutputError) -> (Int, Int) {
    var reason = frame.buffer.composeReason
    if reason == nil && view.cursor != nil && !hasCursorPlane { reason = "\(name) has no cursor plane" }
    if reason == nil {
      let method = fit(frame, order)
      if case .compose(let why) = method {
        reason = why
      } else {
        do throws(OutputError) {
          return try showDirectly(frame, damage, method, of: view, order)
        } catch {
          guard case .rejected(let why) = error else { throw error }
          fits.remember(.compose(why), for: frame, keeping: order.keptMode)
          reason = why
        }
      }
    }
    do throws(OutputError) {
      return try showComposed(frame, damage, reason ?? "", of: view, order, blendsCursor: !hasCursorPlane)
    } catch {
      guard case .rejected = error, hasCursorPlane, view.cursor != nil else { throw error }
      return try showComposed(frame, damage, reason ?? "", of: view, order, blendsCursor: true)
    }
  }

  private func showDirectly(
    _ frame: SurfaceFrame, _ damage: DamageRegion, _ method: FitMethod, of view: Tile, _ order: CommitOrder
  ) throws(OutputError) -> (Int, Int) {
    var origin = (0, 0)
    if case .centered(let x, let y) = method { origin = (x, y) }
    let state = view.cursor.map { CursorState(buffer: $0.buffer.buffer, x: $0.x + origin.0, y: $0.y + origin.1) }
    var shown = OutputFrame(buffer: frame.buffer.buffer, source: frame.source, damage: damage, cursor: state)
    shown.isVariable = order.isVariable
    try output.commit(shown, fit: method)
    if isComposed { forgetComposed() }
    view.composeReason = nil
    return origin
  }

  private func showComposed(
    _ frame: SurfaceFrame, _ damage: DamageRegion, _ reason: String, of view: Tile, _ order: CommitOrder,
    blendsCursor: Bool
  ) throws(OutputError) -> (Int, Int) {
    isComposed = true
    let composed = try composer.compose(frame, damage, cursor: blendsCursor ? view.cursor : nil)
    view.head.countCopy(composed.copiedBytes)
    let (x, y) = (composed.originX, composed.originY)
    let state =
      blendsCursor ? nil : view.cursor.map { CursorState(buffer: $0.buffer.buffer, x: $0.x + x, y: $0.y + y) }
    let mode = output.info.mode
    var shown = OutputFrame(
      buffer: composed.buffer, source: Rect(width: mode.width, height: mode.height), damage: composed.damage,
      cursor: state)
    shown.isVariable = order.isVariable
    try output.commit(shown, fit: .mode(mode))
    composer.committed()
    view.composeReason = reason
    return (x, y)
  }
}
