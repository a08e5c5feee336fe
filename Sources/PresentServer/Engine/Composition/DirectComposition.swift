import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// Shows one view's frames on the whole output: scanned out directly if possible, otherwise composed into a buffer of
/// its mode's size.
final class DirectComposition {
  /// How a frame reaches the output.
  private enum Way {
    case direct(FitMethod)
    case composed(reason: String, blendsCursor: Bool)
  }

  private let output: any Output
  /// The output's name in the protocol.
  private let name: String
  private var fits = FitCache()
  private let composer: Composer
  /// Whether the composer has drawn since it was last invalidated.
  private var isComposed = false
  private var hasCursorPlane: Bool
  /// The view whose frame was committed last; its damage is relative to that frame.
  private var last: VMID?
  /// The way of the frame in the next commit; nil if nothing changes.
  private var planned: Way?
  /// The frame whose cursor the output refused to show on a plane above the composed picture.
  private var refusedCursor: (view: VMID, frame: UInt64)?

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

  // MARK: - Before a commit

  /// Chooses the way of a view's newest frame to the output. Returns true if the frame must be drawn first.
  func plan(_ view: SurfaceView, _ order: CommitOrder) -> Bool {
    planned = nil
    guard let frame = view.staged?.frame ?? view.latched, changes(view, order) else { return false }
    let way = way(of: frame, view, order)
    planned = way
    if case .composed = way { return true }
    return false
  }

  /// Draws a part of the planned frame, until the deadline. Returns false if some of it is left.
  func draw(_ view: SurfaceView, _ order: CommitOrder, until deadline: PaintDeadline) throws(OutputError) -> Bool {
    guard case .composed(_, let blendsCursor)? = planned, let frame = view.staged?.frame ?? view.latched else {
      return true
    }
    let damage = damage(of: view, frame, order)
    isComposed = true
    return try composer.draw(frame, damage, cursor: blendsCursor ? view.cursor : nil, until: deadline)
  }

  private func way(of frame: SurfaceFrame, _ view: SurfaceView, _ order: CommitOrder) -> Way {
    let blendsCursor = !hasCursorPlane || refusedCursor.map { $0.view == view.id && $0.frame == frame.number } ?? false
    if let reason = frame.buffer.composeReason { return .composed(reason: reason, blendsCursor: blendsCursor) }
    if view.cursor != nil, !hasCursorPlane {
      return .composed(reason: "\(name) has no cursor plane", blendsCursor: true)
    }
    let method = fits.method(for: frame, keeping: order.keptMode) {
      output.fit(frame.buffer.buffer, source: frame.source, keeping: order.keptMode)
    }
    if case .compose(let reason) = method { return .composed(reason: reason, blendsCursor: blendsCursor) }
    return .direct(method)
  }

  /// Whether a commit changes anything: a new frame, a moved cursor, or another picture was on screen.
  private func changes(_ view: SurfaceView, _ order: CommitOrder) -> Bool {
    view.staged != nil || order.isFull || view.isCursorChanged
  }

  /// The damage of a view's frame since the last commit.
  private func damage(of view: SurfaceView, _ frame: SurfaceFrame, _ order: CommitOrder) -> DamageRegion {
    if order.isFull || last != view.id {
      if isComposed, !composer.isDrawing(frame) { forgetComposed() }
      return DamageRegion(frame.source)
    }
    return view.staged?.update.damage ?? DamageRegion()
  }

  // MARK: - The commit

  /// Commits a view's newest frame on the planned way. `.refused`: the output does not take it so, and there is another
  /// way to plan.
  func commit(_ view: SurfaceView, _ order: CommitOrder, into picture: inout Presenter.Picture) throws(OutputError)
    -> CommitResult
  {
    guard let frame = view.staged?.frame ?? view.latched else { return .empty }
    guard let way = planned.take() else { return .unchanged }
    let damage = damage(of: view, frame, order)
    let x: Int
    let y: Int
    do throws(OutputError) {
      switch way {
      case .direct(let method): (x, y) = try showDirectly(frame, damage, method, of: view, order)
      case .composed(let reason, let blendsCursor):
        (x, y) = try showComposed(frame, damage, reason, of: view, order, blendsCursor: blendsCursor)
      }
    } catch {
      guard case .rejected(let reason) = error, remember(reason, way, frame, of: view, order) else { throw error }
      return .refused
    }
    last = view.id
    picture.add(frame, of: view, originX: x, originY: y)
    return .committed
  }

  /// Remembers that the output refused a frame; false if there is no other way.
  private func remember(_ reason: String, _ way: Way, _ frame: SurfaceFrame, of view: SurfaceView, _ order: CommitOrder)
    -> Bool
  {
    switch way {
    case .direct:
      fits.remember(.compose(reason), for: frame, keeping: order.keptMode)
      return true
    case .composed(_, let blendsCursor):
      if blendsCursor || view.cursor == nil { return false }
      refusedCursor = (view.id, frame.number)
      return true
    }
  }

  private func showDirectly(
    _ frame: SurfaceFrame, _ damage: DamageRegion, _ method: FitMethod, of view: SurfaceView, _ order: CommitOrder
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
    _ frame: SurfaceFrame, _ damage: DamageRegion, _ reason: String, of view: SurfaceView, _ order: CommitOrder,
    blendsCursor: Bool
  ) throws(OutputError) -> (Int, Int) {
    isComposed = true
    let composed = try composer.compose(frame, damage, cursor: blendsCursor ? view.cursor : nil)
    view.surface.countCopy(composed.copiedBytes)
    frame.buffer.countGathered()
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
