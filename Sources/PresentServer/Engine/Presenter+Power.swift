import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import Scanout

extension Presenter {
  /// Sets the output to on, blank or off until the next command. Its VMs are not notified and continue off screen.
  func setPower(_ wanted: OutputPower) {
    power.command(wanted, at: now)
    powerChanged()
    run()
  }

  /// Makes no commits while another console is shown: the output has been turned off. The VMs are not notified and continue off screen.
  func setAway(_ isAway: Bool) {
    if isAway == power.isAway { return }
    power.setAway(isAway)
    composition.pictureReplaced()
    // The output was turned off.
    if isAway { onScreen.endUse() }
    powerChanged()
    run()
  }

  /// Sets the idle times after which the output becomes blank or off, counted from now.
  func setIdleLimits(_ limits: IdleLimits) {
    do throws(SystemError) {
      try power.setLimits(limits, at: now, on: loop, clock) { [weak self] in self?.idleTimerFired() }
    } catch {
      log("\(name) cannot use idle timeouts: \(error)")
    }
    powerChanged()
    run()
  }

  /// Restarts the idle time after a VM's frame or cursor move.
  func restartIdleTime(for view: SurfaceView) {
    guard isTiled || focusedView === view else { return }
    let wasDark = power.idle != .on
    power.pictureChanged(at: now)
    guard wasDark else { return }
    power.updateIdle(at: now)
    powerChanged()
  }

  private func idleTimerFired() {
    // The daemon cannot see a lessee's commits, so an output with a lease never counts as idle.
    if leasing.current != nil { power.pictureChanged(at: now) }
    power.updateIdle(at: now)
    powerChanged()
    run()
  }

  /// Makes the VMs visible or invisible to the scheduler. The next commit changes the hardware state.
  private func powerChanged() {
    let isOn = power.showsPictures
    if isOn {
      if schedule.state.isVisible { return }
      for view in views {
        view.isCursorChanged = view.isCursorChanged || view.cursor != nil || !view.paintedCursor.isEmpty
      }
    } else if !schedule.state.isVisible {
      if !power.isAway, power.effective != power.committed { redraw() }
      return
    }
    accept(schedule.decide { $0.setVisible(isOn, at: $1, into: &$2) })
  }
}
