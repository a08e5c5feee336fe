import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import PresentProtocol

extension Presenter {
  /// Makes the ordered part of a frame's copy within this iteration's copy budget; false if some of it remains. Ignores
  /// withdrawn frames.
  func paint(_ order: BlitOrder) -> Bool {
    guard case .tiled(let tiled) = composition, let place = views.firstIndex(where: { $0.id == order.vm }) else {
      return true
    }
    let view = views[place]
    guard view.plane.index == nil, let held = view.uncommitted(order.frame) else { return true }
    guard let deadline = budget.begin() else { return false }
    // CPU time: preemption on a busy host does not count as cost.
    let begun = threadCPUNanoseconds()
    defer { budget.end(deadline) }
    do throws(OutputError) {
      let part = try tiled.paint(
        order, held, of: view, at: place, views, homeMode, until: deadline)
      view.surface.countCopy(part.copiedBytes)
      held.frame.buffer.countGathered()
      work.note(copiedBytes: part.copiedBytes, nanoseconds: threadCPUNanoseconds() - begun)
      return part.isDone
    } catch {
      let isStaged = view.staged?.id == order.frame
      if let refused = isStaged ? view.staged.take() : view.take(order.frame) { refuse(refused, of: view, error) }
      return true
    }
  }

  /// Refuses a staged frame whose memory cannot be read. The other tiles' frames are shown.
  func refuseUnreadable(_ view: SurfaceView) {
    guard let staged = view.staged else { return }
    do throws(OutputError) {
      try staged.frame.buffer.checkReadable()
    } catch {
      view.staged = nil
      refuse(staged, of: view, error)
    }
  }

  private func refuse(_ held: SurfaceView.Held, of view: SurfaceView, _ error: OutputError) {
    view.needsFullDamage = true
    if !held.isReported { view.surface.frameDone(held.frame.number, .rejected) }
    view.surface.outputFailed("\(name) cannot read a frame: \(error)")
    held.frame.buffer.endUse()
  }
}
