import DaemonSettings
import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// Paints all views of an output into one picture of its size, each in its rectangle, and gives some of them overlay
/// planes.
///
/// A view's index is its place among the output's views. Its `painted` frame is the one that the picture shows, or will
/// show with the next commit.
final class TiledComposition {
  private let output: any Output
  private var canvas: TileCanvas?
  private var planes = PlaneAssignment()
  /// Called when a view's frames are shown by a plane from now on, or are copied again.
  private let planeChanged: (Tile) -> Void

  init(_ output: any Output, planeChanged: @escaping (Tile) -> Void) {
    self.output = output
    self.planeChanged = planeChanged
  }

  /// The output has changed: buffers of another size are needed.
  func outputChanged() { canvas = nil }

  /// Views were added, removed or moved: everything is painted again.
  func arranged(_ views: [Tile]) {
    planes.isChanged = true
    canvas?.invalidate(tiles: views)
  }

  /// A view's whole rectangle is to be painted again.
  func repaint(_ view: Tile, at index: Int) { canvas?.add(DamageRegion(view.rect), tile: index) }

  // MARK: - Painting

  /// Paints a frame of a view into the next picture; how many bytes were copied.
  func paint(
    _ frame: Presenter.Frame, of view: Tile, at index: Int, _ views: [Tile], _ mode: DisplayMode
  ) throws(OutputError) -> UInt64 {
    let canvas = try preparedCanvas(views, mode)
    canvas.add(changes(frame, of: view), tile: index)
    view.painted = frame
    if view.isCursorChanged { moveCursor(of: view, index, canvas) }
    return try canvas.paint(view, at: index)
  }

  /// Commits the picture of all views.
  ///
  /// - Parameter follows: whether the picture on screen is of this composition too.
  func commit(
    _ views: [Tile], mode: DisplayMode, _ order: CommitOrder, follows: Bool, into picture: inout Presenter.Picture
  ) throws(OutputError) -> CommitResult {
    var hasContent = false
    for view in views where view.staged != nil || view.latched != nil { hasContent = true }
    guard hasContent else { return .empty }
    let canvas = try preparedCanvas(views, mode)
    if !follows && order.isFull { canvas.invalidate(tiles: views) }
    var overlays = Overlays()
    for index in views.indices {
      let view = views[index]
      let frame = view.staged?.frame ?? view.latched
      if let plane = view.plane.index, let frame, let overlay = planes.overlay(frame, of: view) {
        overlays[plane] = overlay
      } else {
        noteChanges(of: view, index, canvas)
      }
      guard let frame else { continue }
      let origin = view.origin(of: frame)
      picture.add(frame, of: view, originX: origin.x, originY: origin.y)
    }
    let flips = canvas.isChanged
    if flips {
      for index in views.indices {
        if let plane = views[index].plane.index, overlays[plane] != nil { continue }
        views[index].head.countCopy(try canvas.paint(views[index], at: index))
      }
    }
    var next = flips ? canvas.frame() : canvas.shownFrame()
    next.overlays = overlays
    do throws(OutputError) {
      try output.commit(next, fit: canvas.fit)
    } catch {
      guard case .rejected = error, !overlays.isEmpty else { throw error }
      // The output refuses what it accepted in the test: all views are copied, in this commit already.
      picture.endUse()
      for index in views.indices {
        planes.commitFailed(views[index], at: order.now)
        leavePlane(views[index], at: index)
      }
      return try commit(views, mode: mode, order, follows: follows, into: &picture)
    }
    if flips { canvas.committed() }
    for view in views where view.staged != nil { planes.frameCommitted(of: view) }
    picture.isTiled = true
    return .committed
  }

  /// Adds the damage of a view that is copied and not painted yet.
  private func noteChanges(of view: Tile, _ index: Int, _ canvas: TileCanvas) {
    if let staged = view.staged, view.painted?.number != staged.frame.number {
      // It was to go on a plane that the view has lost since.
      canvas.add(changes(staged.frame, of: view), tile: index)
      view.painted = staged.frame
    }
    if view.isCursorChanged { moveCursor(of: view, index, canvas) }
  }

  /// What a frame changes of its view, in the output's pixels.
  private func changes(_ frame: Presenter.Frame, of view: Tile) -> DamageRegion {
    guard let last = view.painted, last.source == frame.source,
      last.buffer.buffer.layout == frame.buffer.buffer.layout
    else { return DamageRegion(view.rect) }
    let origin = view.origin(of: frame)
    var region = DamageRegion()
    for index in 0..<frame.damage.count {
      let part = frame.damage[index].intersection(frame.source)
      region.add(
        Rect(
          x: part.x - frame.source.x + origin.x, y: part.y - frame.source.y + origin.y, width: part.width,
          height: part.height
        ).intersection(view.rect))
    }
    return region
  }

  private func moveCursor(of view: Tile, _ index: Int, _ canvas: TileCanvas) {
    var region = DamageRegion(view.paintedCursor)
    view.paintedCursor = .empty
    if let cursor = view.cursor, let frame = view.painted {
      let origin = view.origin(of: frame)
      let size = cursor.buffer.buffer.layout
      view.paintedCursor = Rect(
        x: cursor.x + origin.x, y: cursor.y + origin.y, width: size.width, height: size.height
      ).intersection(view.rect)
      region.add(view.paintedCursor)
    }
    canvas.add(region, tile: index)
  }

  private func preparedCanvas(_ views: [Tile], _ mode: DisplayMode) throws(OutputError) -> TileCanvas {
    if let canvas { return canvas }
    let made = try TileCanvas(output, mode: mode)
    made.invalidate(tiles: views)
    canvas = made
    return made
  }

  // MARK: - Overlay planes

  /// A view's cursor was shown, moved or hidden: a plane would cover it.
  func cursorChanged(of view: Tile, at index: Int) {
    if view.cursor == nil { planes.isChanged = true } else { leavePlane(view, at: index) }
  }

  /// A view has a new frame. One of another kind than its plane was tested with is copied again.
  func frameArrived(_ frame: Presenter.Frame, _ byteCount: Int64, of view: Tile, at index: Int) {
    if output.overlayCount == 0 { return }
    if planes.frameArrived(frame, byteCount, of: view, on: output) { leavePlane(view, at: index) }
  }

  /// After a flip: holds an auction of planes if it is due, and asks the hardware about at most one change.
  func flipped(_ views: [Tile], _ flip: PlaneAssignment.Flip) {
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
      // The picture's copy of it is not shown any more; the plane shows it from the next commit on.
      view.painted = nil
      planeChanged(view)
    }
  }

  /// A view's frames are copied again, beginning with the one that is shown.
  func leavePlane(_ view: Tile, at index: Int) {
    guard view.plane.index != nil else { return }
    view.plane.index = nil
    view.painted = view.latched
    planes.isChanged = true
    planeChanged(view)
    repaint(view, at: index)
  }
}
