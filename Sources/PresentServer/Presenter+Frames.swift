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
    let receipt = scheduler.frameReady(tile.id, frame: id, byteCount: byteCount, at: now, into: &decisions)
    var held = Tile.Held(id: id, update: new, byteCount: byteCount)
    if tile.needsFullDamage { held.update.damage = DamageRegion(frame.source) }
    tile.needsFullDamage = false
    guard receipt == .accepted else {
      tile.needsFullDamage = true
      tile.head.frameDone(frame.number, .superseded)
      return frame.buffer.endUse()
    }
    for index in decisions.discarded.indices {
      guard let old = tile.take(decisions.discarded[index].frame) else { continue }
      held.update.supersede(old.update)
      supersede(old, of: tile)
    }
    tile.held.append(held)
    reportUnseen()
    run()
  }

  /// Blanks a scanout's part of the output.
  func blank(_ tile: Tile) {
    let isVisible = isVisible(tile)
    scheduler.withdrawFrames(of: tile.id, at: now, into: &decisions)
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
      scheduler.invalidate(repeatingFrames: false, at: now)
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
    if tile.latched != nil, scheduler.isVisible, isTiled || focusedTile === tile { scheduler.touch(at: now) }
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

  /// Reports frames that the scheduler has released for VMs that are not visible. They count as flipped.
  func reportUnseen() {
    for index in decisions.releases.indices {
      let release = decisions.releases[index]
      guard let tile = tile(release.vm) else { continue }
      for place in tile.held.indices where tile.held[place].id <= release.through && !tile.held[place].isReported {
        tile.held[place].isReported = true
        tile.head.frameDone(
          tile.held[place].frame.number, .flipped, timeNanoseconds: UInt64(now), sequence: lastSequence)
      }
    }
  }
}
