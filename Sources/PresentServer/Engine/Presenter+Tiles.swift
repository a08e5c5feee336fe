import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import PresentProtocol

extension Presenter {
  /// Makes the ordered part of a frame's copy within this iteration's copy budget; false if some of it remains. Ignores
  /// withdrawn frames.
  func paint(_ order: BlitOrder) -> Bool {
    guard case .tiled(let tiled) = composition, let place = tiles.firstIndex(where: { $0.id == order.vm }) else {
      return true
    }
    let tile = tiles[place]
    guard tile.plane.index == nil, let held = tile.uncommitted(order.frame) else { return true }
    guard let deadline = budget.begin() else { return false }
    // CPU time: preemption on a busy host does not count as cost.
    let begun = threadCPUNanoseconds()
    defer { budget.end(deadline) }
    do throws(OutputError) {
      let part = try tiled.paint(
        order, held, of: tile, at: place, tiles, homeMode, until: deadline)
      tile.head.countCopy(part.copiedBytes)
      work.note(copiedBytes: part.copiedBytes, nanoseconds: threadCPUNanoseconds() - begun)
      return part.isDone
    } catch {
      let isStaged = tile.staged?.id == order.frame
      if let refused = isStaged ? tile.staged.take() : tile.take(order.frame) { refuse(refused, of: tile, error) }
      return true
    }
  }

  /// Refuses a staged frame whose memory cannot be read. The other tiles' frames are shown.
  func refuseUnreadable(_ tile: Tile) {
    guard let staged = tile.staged else { return }
    do throws(OutputError) {
      try staged.frame.buffer.checkReadable()
    } catch {
      tile.staged = nil
      refuse(staged, of: tile, error)
    }
  }

  private func refuse(_ held: Tile.Held, of tile: Tile, _ error: OutputError) {
    tile.needsFullDamage = true
    if !held.isReported { tile.head.frameDone(held.frame.number, .rejected) }
    tile.head.outputFailed("\(name) cannot read a frame: \(error)")
    held.frame.buffer.endUse()
  }
}
