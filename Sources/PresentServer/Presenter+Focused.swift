import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

extension Presenter {
  /// Commits one scanout's picture, which has the output to itself; false where nothing changes.
  func commitFocused(_ picture: inout Picture, _ tile: Tile?, _ isFull: Bool) throws(OutputError) -> Bool {
    guard let tile, var frame = tile.staged?.frame ?? tile.latched else {
      return try commitNothing()
    }
    if tile.staged == nil {
      if !isFull && !tile.isCursorChanged { return false }
      frame.damage = DamageRegion()
    }
    if isFull || composedTile != tile.id {
      frame.damage = DamageRegion(frame.source)
      composer.invalidate()
    }
    let (x, y) = try show(frame, of: tile)
    composedTile = tile.id
    add(tile, frame, originX: x, originY: y, to: &picture)
    return true
  }

  /// Commits a screen on which nobody shows anything, so that the monitor sleeps; false where it does.
  func commitNothing() throws(OutputError) -> Bool {
    // Of an output that was blank the monitor shows black.
    if onScreen.entries.isEmpty, power.committed != .blank { return false }
    let nothing = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
    try output.commit(nothing, fit: .mode(output.info.mode))
    composer.invalidate()
    return true
  }

  /// The mode to stay in where the focus may change at any time: a monitor takes a second for a mode set. nil for a
  /// scanout that has the output to itself, whose guest's mode is the monitor's.
  var keptMode: DisplayMode? { tiles.count > 1 ? homeMode : nil }

  /// Commits a frame directly, or composed where the output cannot show it as it is.
  private func show(_ frame: Frame, of tile: Tile) throws(OutputError) -> (Int, Int) {
    var reason = frame.buffer.composeReason
    if reason == nil && tile.cursor != nil && !hasCursorPlane { reason = "\(name) has no cursor plane" }
    if reason == nil {
      let kept = keptMode
      let method = fits.method(for: frame, keeping: kept) {
        output.fit(frame.buffer.buffer, source: frame.source, keeping: kept)
      }
      if case .compose(let why) = method {
        reason = why
      } else {
        do throws(OutputError) {
          return try showDirectly(frame, method, tile)
        } catch {
          guard case .rejected(let why) = error else { throw error }
          fits.remember(.compose(why), for: frame, keeping: kept)
          reason = why
        }
      }
    }
    do throws(OutputError) {
      return try showComposed(frame, reason ?? "", tile, blendsCursor: !hasCursorPlane)
    } catch {
      guard case .rejected = error, hasCursorPlane, tile.cursor != nil else { throw error }
      return try showComposed(frame, reason ?? "", tile, blendsCursor: true)
    }
  }

  private func showDirectly(
    _ frame: Frame, _ method: FitMethod, _ tile: Tile
  ) throws(OutputError) -> (Int, Int) {
    var origin = (0, 0)
    if case .centered(let x, let y) = method { origin = (x, y) }
    let state = tile.cursor.map { CursorState(buffer: $0.buffer.buffer, x: $0.x + origin.0, y: $0.y + origin.1) }
    var shown = OutputFrame(
      buffer: frame.buffer.buffer, source: frame.source, damage: frame.damage, cursor: state)
    shown.isVariable = scheduler.followsCommits
    try output.commit(shown, fit: method)
    composer.invalidate()
    tile.composeReason = nil
    return origin
  }

  private func showComposed(
    _ frame: Frame, _ reason: String, _ tile: Tile, blendsCursor: Bool
  ) throws(OutputError) -> (Int, Int) {
    let composed = try composer.compose(frame, cursor: blendsCursor ? tile.cursor : nil)
    tile.head.countCopy(composed.copiedBytes)
    let (x, y) = (composed.originX, composed.originY)
    let state =
      blendsCursor ? nil : tile.cursor.map { CursorState(buffer: $0.buffer.buffer, x: $0.x + x, y: $0.y + y) }
    let mode = output.info.mode
    var shown = OutputFrame(
      buffer: composed.buffer, source: Rect(width: mode.width, height: mode.height), damage: composed.damage,
      cursor: state)
    shown.isVariable = scheduler.followsCommits
    try output.commit(shown, fit: .mode(mode))
    composer.committed()
    tile.composeReason = reason
    return (x, y)
  }
}
