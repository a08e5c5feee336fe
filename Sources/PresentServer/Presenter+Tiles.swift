import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs

extension Presenter {
  /// Copies a frame whose blits are all due. Until then nothing of it is painted: no commit shows a part of it.
  func paint(_ order: BlitOrder) {
    guard case .tiled(let tiled) = composition, let place = tiles.firstIndex(where: { $0.id == order.vm }) else {
      return
    }
    let tile = tiles[place]
    guard tile.plane.index == nil, let held = tile.held.first(where: { $0.id == order.frame }) else { return }
    // A busy host makes a copy last longer, but not cost more.
    let begun = threadCPUNanoseconds()
    do throws(OutputError) {
      tile.head.countCopy(try tiled.paint(held.frame, of: tile, at: place, tiles, homeMode))
    } catch {
      // The commit meets the same and tells of it.
      tile.needsFullDamage = true
    }
    // The whole frame is copied at its last order, so its time is compared with the plan for all of its bytes.
    scheduler.blitsMeasured(
      of: tile.id, plannedNanoseconds: order.bytes.upperBound * Presenter.picosecondsPerByte / 1000,
      actualNanoseconds: Nanoseconds(clamping: threadCPUNanoseconds() - begun))
  }
}
