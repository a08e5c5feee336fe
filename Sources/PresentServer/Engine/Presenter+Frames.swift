import DaemonSettings
import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

extension Presenter {
  /// Accepts a frame. Its buffer is in use until it is released.
  func present(_ new: SurfaceUpdate, on tile: Tile) {
    let frame = new.frame
    frame.buffer.beginUse()
    let byteCount = isTiled ? byteCount(of: new, on: tile) : 0
    if case .tiled(let tiled) = composition, let index = tiles.firstIndex(where: { $0 === tile }) {
      tiled.frameArrived(frame, byteCount, of: tile, at: index)
    }
    if power.watchesIdle { restartIdleTime(for: tile) }
    let id = nextFrameID()
    tile.hold(Tile.Held(id: id, update: new, byteCount: byteCount))
    var receipt = FrameReceipt.accepted
    let decisions = schedule.decide {
      receipt = $0.frameReady(tile.id, frame: id, byteCount: byteCount, at: $1, into: &$2)
    }
    if receipt != .accepted, let refused = tile.discard(id) { supersede(refused, of: tile) }
    accept(decisions)
    run()
  }

  /// Blanks a scanout's part of the output.
  func blank(_ tile: Tile) {
    let isVisible = isVisible(tile)
    accept(schedule.decide { $0.withdrawFrames(of: tile.id, at: $1, into: &$2) })
    while !tile.held.isEmpty { supersede(tile.held.removeFirst(), of: tile) }
    if let staged = tile.staged.take() { supersede(staged, of: tile) }
    tile.setLatched(nil)
    tile.painted = nil
    tile.isCursorChanged = false
    tile.needsFullDamage = true
    if isVisible {
      if case .tiled(let tiled) = composition, let index = tiles.firstIndex(where: { $0 === tile }) {
        tiled.framesWithdrawn(from: index)
        tiled.repaint(tile, at: index)
      }
      redraw()
    }
    run()
  }

  /// Changes or moves the cursor; nil hides it.
  func setCursor(_ new: SurfaceCursor?, on tile: Tile) {
    if let new, let old = tile.cursor, new.buffer === old.buffer, new.x == old.x, new.y == old.y { return }
    if new == nil && tile.cursor == nil { return }
    new?.buffer.beginUse()
    let old = tile.cursor
    tile.cursor = new
    old?.buffer.endUse()
    tile.isCursorChanged = true
    if case .tiled(let tiled) = composition, let index = tiles.firstIndex(where: { $0 === tile }) {
      tiled.cursorChanged(of: tile, at: index)
    }
    if power.watchesIdle { restartIdleTime(for: tile) }
    // Without a frame the cursor waits for the next one.
    if tile.latched != nil, schedule.state.isVisible, isTiled || focusedTile === tile {
      schedule.update { $0.touch(at: $1) }
    }
    run()
  }

  func supersede(_ held: Tile.Held, of tile: Tile) {
    if !held.isReported { tile.head.frameDone(held.frame.number, .superseded) }
    held.frame.buffer.endUse()
  }

  /// Whether a tile is on screen or in the pending commit.
  func isVisible(_ tile: Tile) -> Bool {
    (inFlight ?? onScreen).entry(of: tile.id) != nil || onScreen.entry(of: tile.id) != nil
  }

  /// The number of bytes to copy for an update's damage.
  private func byteCount(of new: SurfaceUpdate, on tile: Tile) -> Int64 {
    let damage = tile.needsFullDamage ? DamageRegion(new.frame.source) : new.damage
    var pixels = 1
    for index in 0..<damage.count {
      let part = damage[index].intersection(new.frame.source)
      pixels += min(part.width, tile.rect.width) * min(part.height, tile.rect.height)
    }
    return Int64(min(pixels, tile.rect.width * tile.rect.height) * PixelFormat.bytesPerPixel)
  }

  /// Reports the frames that the scheduler has released for a VM that is not visible. They count as flipped.
  func reportUnseen(_ release: FenceRelease) {
    guard let tile = tile(release.vm) else { return }
    for place in tile.held.indices where tile.held[place].id <= release.through && !tile.held[place].isReported {
      tile.held[place].isReported = true
      tile.head.frameDone(
        tile.held[place].frame.number, .flipped, timeNanoseconds: UInt64(clamping: now), sequence: lastSequence)
    }
  }

  /// Has the picture committed again without a new frame.
  func redraw() { schedule.update { $0.invalidate(repeatingFrames: false, at: $1) } }

  /// Sets how a tile's next frames reach the screen.
  func setPath(_ path: FramePath, of tile: Tile) { schedule.update { $0.setPath(path, of: tile.id, at: $1) } }
}
