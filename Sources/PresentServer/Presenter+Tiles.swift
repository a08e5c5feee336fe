import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs

extension Presenter {
  /// Copies the part of a frame that the scheduler has ordered, in this iteration's time for copies; false where some of
  /// it is left. A frame that was taken back meanwhile needs nothing.
  func paint(_ order: BlitOrder) -> Bool {
    guard case .tiled(let tiled) = composition, let place = tiles.firstIndex(where: { $0.id == order.vm }) else {
      return true
    }
    let tile = tiles[place]
    guard tile.plane.index == nil, let held = tile.uncommitted(order.frame) else { return true }
    guard let deadline = budget.begin() else { return false }
    // A busy host makes a copy last longer, but not cost more.
    let begun = threadCPUNanoseconds()
    defer { budget.end(deadline) }
    do throws(OutputError) {
      let part = try tiled.paint(
        order, held.frame, byteCount: held.byteCount, of: tile, at: place, tiles, homeMode, until: deadline)
      tile.head.countCopy(part.copiedBytes)
      work.note(copiedBytes: part.copiedBytes, nanoseconds: threadCPUNanoseconds() - begun)
      return part.isDone
    } catch {
      // The commit meets the same and tells of it.
      tile.needsFullDamage = true
      return true
    }
  }
}
