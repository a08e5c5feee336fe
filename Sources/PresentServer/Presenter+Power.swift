import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import Scanout

extension Presenter {
  /// Turns the output on, blank or off until the next command. Its VMs are not told: they go on as unseen ones.
  func setPower(_ wanted: OutputPower) {
    power.command(wanted, at: now)
    powerChanged()
    run()
  }

  /// Takes times after which the output goes dark by itself; they count from now on.
  func setIdleLimits(_ limits: IdleLimits) {
    do throws(SystemError) {
      try power.setLimits(limits, at: now, on: loop, clock) { [weak self] in self?.idleTimerFired() }
    } catch {
      log("\(name) will not go dark by itself: \(error)")
    }
    powerChanged()
    run()
  }

  /// A VM changes its picture or moves its cursor, on an output that goes dark when nothing changes.
  func restartIdleTime(for tile: Tile) {
    guard isTiled || focusedTile === tile else { return }
    let wasDark = power.idle != .on
    power.pictureChanged(at: now)
    guard wasDark else { return }
    power.updateIdle(at: now)
    powerChanged()
  }

  private func idleTimerFired() {
    // The daemon does not see what a lessee shows.
    if leasing.current != nil { power.pictureChanged(at: now) }
    power.updateIdle(at: now)
    powerChanged()
    run()
  }

  /// Makes the VMs seen or unseen to the scheduler; its next commit changes the hardware.
  private func powerChanged() {
    let isOn = power.effective == .on
    if isOn {
      if scheduler.isVisible { return }
      for tile in tiles {
        tile.isCursorChanged = tile.isCursorChanged || tile.cursor != nil || !tile.paintedCursor.isEmpty
      }
    } else if !scheduler.isVisible {
      if power.effective != power.committed { scheduler.invalidate(repeatingFrames: false, at: now) }
      return
    }
    scheduler.setVisible(isOn, at: now, into: &decisions)
    reportUnseen()
  }
}
