import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs

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
      // The commit will fail for the same reason and report it.
      tile.needsFullDamage = true
      return true
    }
  }
}
