import DaemonSettings
import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// Composes all views of an output into one picture of its size, each in its rectangle, and assigns overlay planes to
/// some of them.
///
/// A view's index is its position in the output's list of views. Its `painted` frame is the one that the picture shows,
/// or will show with the next commit.
final class TiledComposition {
  private let output: any Output
  private let workers: CopyWorkers
  private var canvas: TileCanvas?
  /// Whether the next commit's picture is being completed.
  private var isPreparing = false
  private var planes = PlaneAssignment()
  /// Called when a view gets or loses an overlay plane.
  private let planeChanged: (SurfaceView) -> Void

  init(_ output: any Output, workers: CopyWorkers, planeChanged: @escaping (SurfaceView) -> Void) {
    self.output = output
    self.workers = workers
    self.planeChanged = planeChanged
  }

  /// Drops the buffers after the output has changed; the new ones may have another size.
  func outputChanged() {
    canvas = nil
    isPreparing = false
  }

  /// Repaints everything after views were added, removed or moved.
  func arranged(_ views: [SurfaceView]) {
    planes.isChanged = true
    canvas?.invalidate(tiles: views)
  }

  /// Marks a view's whole rectangle as damaged.
  func repaint(_ view: SurfaceView, at index: Int) { canvas?.add(DamageRegion(view.rect), tile: index) }

  // MARK: - Painting

  /// Paints a view's frame up to the end of an order or until the deadline.
  ///
  /// - Returns: the bytes copied, and false if the deadline has passed before the order's end.
  func paint(
    _ order: BlitOrder, _ held: SurfaceView.Held, of view: SurfaceView, at index: Int, _ views: [SurfaceView],
    _ mode: DisplayMode,
    until deadline: PaintDeadline
  ) throws(OutputError) -> (copiedBytes: UInt64, isDone: Bool) {
    let canvas = try preparedCanvas(views, mode)
    if !canvas.hasBegun(order.frame, order.target) {
      try held.frame.buffer.checkReadable()
      if view.isCursorChanged { moveCursor(of: view, showing: held.frame, index, canvas) }
      canvas.begin(
        order.frame, painting(held.frame, of: view), changes(held.update, of: view), tile: index, order.target)
    }
    let millionths =
      order.completes || held.byteCount <= 0
      ? 1_000_000 : Int(order.bytes.upperBound * 1_000_000 / held.byteCount)
    let part = canvas.paint(order.target, upToMillionths: millionths, until: deadline)
    if part.isDone, order.completes {
      canvas.end()
      view.painted = held.frame
    }
    return part
  }

  /// Makes the picture that was painted ahead the next one.
  func promoteAhead() { canvas?.promoteAhead() }

  /// Stops painting a view's frames, which were withdrawn.
  func framesWithdrawn(from index: Int) { canvas?.cancel(tile: index) }

  /// Completes the next commit's picture: paints missed damage of views without a new frame, until the deadline.
  ///
  /// - Returns: false if the deadline has passed before; the caller must call again.
  func prepare(
    _ views: [SurfaceView], mode: DisplayMode, _ order: CommitOrder, follows: Bool, until deadline: PaintDeadline
  ) throws(OutputError) -> Bool {
    guard hasContent(views) else { return true }
    let canvas = try preparedCanvas(views, mode)
    if !isPreparing, !follows, order.isFull { canvas.invalidate(tiles: views) }
    isPreparing = true
    for index in views.indices where !isOnPlane(views[index]) { noteChanges(of: views[index], index, canvas) }
    guard canvas.isChanged else { return true }
    return try repair(views, canvas, until: deadline)
  }

  private func repair(_ views: [SurfaceView], _ canvas: TileCanvas, until deadline: PaintDeadline) throws(OutputError)
    -> Bool
  {
    guard canvas.repairBackground(until: deadline) else { return false }
    for index in views.indices {
      let view = views[index]
      if isOnPlane(view) { continue }
      let part = try canvas.repair(tile: index, view.rect, until: deadline) { painting(view.painted, of: view) }
      view.surface.countCopy(part.copiedBytes)
      view.painted?.buffer.countGathered()
      if !part.isDone { return false }
    }
    return true
  }

  private func hasContent(_ views: [SurfaceView]) -> Bool {
    for view in views where view.staged != nil || view.latched != nil { return true }
    return false
  }

  /// Whether a view's newest frame goes on its overlay plane.
  private func isOnPlane(_ view: SurfaceView) -> Bool {
    guard view.plane.index != nil, let frame = view.staged?.frame ?? view.latched else { return false }
    return planes.overlay(frame, of: view) != nil
  }

  /// The painting of a frame and the view's cursor into the view's rectangle; black without a frame, and for one that
  /// was scanned out and cannot be read.
  private func painting(_ frame: SurfaceFrame?, of view: SurfaceView) -> Painting {
    let origin = frame.map { view.origin(of: $0) } ?? (view.rect.x, view.rect.y)
    let picture = frame.flatMap { readable($0.buffer, of: view) }
    var sprite: Painting.Sprite?
    if frame != nil, let cursor = view.cursor, let picture = readable(cursor.buffer, of: view) {
      sprite = Painting.Sprite(picture: picture, x: cursor.x, y: cursor.y)
    }
    return Painting(
      screen: view.rect, picture: picture, of: frame?.buffer.buffer, source: frame?.source ?? .empty, cursor: sprite,
      originX: origin.0,
      originY: origin.1)
  }

  /// A buffer's pixels. The view's client is told if they cannot be read; the other views are painted nevertheless.
  private func readable(_ buffer: ClientBuffer, of view: SurfaceView) -> MappedBuffer? {
    do throws(OutputError) {
      return try buffer.buffer.mapped()
    } catch {
      view.surface.outputFailed("\(view.presenter.name) cannot read a frame: \(error)")
      return nil
    }
  }

  /// Commits the picture of all views after `prepare` has completed it. `.refused`: the output does not take the overlay
  /// planes, and all views are to be copied.
  func commit(
    _ views: [SurfaceView], mode: DisplayMode, _ order: CommitOrder, into picture: inout Presenter.Picture
  ) throws(OutputError) -> CommitResult {
    isPreparing = false
    guard hasContent(views) else { return .empty }
    let canvas = try preparedCanvas(views, mode)
    var overlays = Overlays()
    for index in views.indices {
      let view = views[index]
      guard let frame = view.staged?.frame ?? view.latched else { continue }
      if let plane = view.plane.index { overlays[plane] = planes.overlay(frame, of: view) }
      let origin = view.origin(of: frame)
      picture.add(frame, of: view, originX: origin.x, originY: origin.y)
    }
    let flips = canvas.isChanged
    var next = flips ? canvas.frame() : canvas.shownFrame()
    next.overlays = overlays
    do throws(OutputError) {
      try output.commit(next, fit: canvas.fit)
    } catch {
      guard case .rejected = error, !overlays.isEmpty else { throw error }
      // The output refuses planes that it accepted in the test.
      picture.endUse()
      for index in views.indices {
        planes.commitFailed(views[index], at: order.now)
        leavePlane(views[index], at: index)
      }
      isPreparing = true
      return .refused
    }
    if flips { canvas.committed() }
    for view in views where view.staged != nil { planes.frameCommitted(of: view) }
    picture.isTiled = true
    return .committed
  }

  /// Adds the damage of a copied view that is not painted yet.
  private func noteChanges(of view: SurfaceView, _ index: Int, _ canvas: TileCanvas) {
    if let staged = view.staged, view.painted?.number != staged.frame.number {
      // The frame was planned for a plane that the view has lost.
      canvas.add(changes(staged.update, of: view), tile: index)
      view.painted = staged.frame
    }
    if view.isCursorChanged { moveCursor(of: view, showing: view.painted, index, canvas) }
  }

  /// An update's damage in the output's pixels.
  private func changes(_ update: SurfaceUpdate, of view: SurfaceView) -> DamageRegion {
    let frame = update.frame
    guard let last = view.painted, last.source == frame.source,
      last.buffer.buffer.layout == frame.buffer.buffer.layout
    else { return DamageRegion(view.rect) }
    let origin = view.origin(of: frame)
    var region = DamageRegion()
    for index in 0..<update.damage.count {
      let part = update.damage[index].intersection(frame.source)
      region.add(
        Rect(
          x: part.x - frame.source.x + origin.x, y: part.y - frame.source.y + origin.y, width: part.width,
          height: part.height
        ).intersection(view.rect))
    }
    return region
  }

  private func moveCursor(of view: SurfaceView, showing frame: SurfaceFrame?, _ index: Int, _ canvas: TileCanvas) {
    var region = DamageRegion(view.paintedCursor)
    view.paintedCursor = .empty
    view.isCursorChanged = false
    if let cursor = view.cursor, let frame {
      let origin = view.origin(of: frame)
      let size = cursor.buffer.buffer.layout
      view.paintedCursor = Rect(
        x: cursor.x + origin.x, y: cursor.y + origin.y, width: size.width, height: size.height
      ).intersection(view.rect)
      region.add(view.paintedCursor)
    }
    canvas.add(region, tile: index)
  }

  private func preparedCanvas(_ views: [SurfaceView], _ mode: DisplayMode) throws(OutputError) -> TileCanvas {
    if let canvas { return canvas }
    let made = try TileCanvas(output, mode: mode, workers: workers)
    made.invalidate(tiles: views)
    canvas = made
    return made
  }

  // MARK: - Overlay planes

  /// Handles a change of a view's cursor, which an overlay plane would cover.
  func cursorChanged(of view: SurfaceView, at index: Int) {
    if view.cursor == nil { planes.isChanged = true } else { leavePlane(view, at: index) }
  }

  /// Handles a new frame. A frame unlike the one that the plane was tested with is copied.
  func frameArrived(_ frame: SurfaceFrame, _ byteCount: Int64, of view: SurfaceView, at index: Int) {
    if output.overlayCount == 0 { return }
    if planes.frameArrived(frame, byteCount, of: view, on: output) { leavePlane(view, at: index) }
  }

  /// After a flip, holds an auction of planes if it is due, and tests at most one change on the hardware.
  func flipped(_ views: [SurfaceView], _ flip: PlaneAssignment.Flip) {
    guard output.overlayCount > 0, let canvas else { return }
    guard planes.holdAuction(views, flip, on: output, over: canvas) else { return }
    for index in views.indices {
      let view = views[index]
      let plane = planes.auction.plane(of: view.id)
      if plane == view.plane.index { continue }
      guard let plane else {
        leavePlane(view, at: index)
        continue
      }
      planes.give(plane, to: view)
      // From the next commit on the plane shows the view, not the picture.
      view.painted = nil
      planeChanged(view)
    }
  }

  /// Takes a view off its plane: its frames are copied again, beginning with the current one.
  func leavePlane(_ view: SurfaceView, at index: Int) {
    guard view.plane.index != nil else { return }
    view.plane.index = nil
    view.painted = view.latched
    planes.isChanged = true
    planeChanged(view)
    repaint(view, at: index)
  }
}
