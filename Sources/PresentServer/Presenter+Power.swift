import FrameScheduler
import Outputs
import Scanout

extension Presenter {
  /// Turns the output on, blank or off until the next command. Its VMs are not told: they go on as unseen ones.
  func setPower(_ wanted: OutputPower) {
    power.commanded = wanted
    power.idle = .on
    power.lastChange = now
    checkIdle()
    powerChanged()
    run()
  }

  /// Takes times after which the output goes dark by itself; they count from now on.
  func setIdleLimits(_ limits: IdleLimits) {
    power.limits = limits
    power.idle = .on
    power.lastChange = now
    if limits.isNever {
      power.timer = nil
    } else if power.timer == nil {
      do {
        power.timer = try IdleTimer(loop) { [weak self] in self?.idleTimerFired() }
      } catch {
        log("\(name) will not go dark by itself: \(error)")
      }
    }
    checkIdle()
    powerChanged()
    run()
  }

  /// A VM changes what is to be seen, or moves its cursor: an output that went dark for want of that comes on again with
  /// the next commit.
  func noteChange(of tile: Tile) {
    if power.limits.isNever || !(isTiled || focusedTile === tile) { return }
    power.lastChange = now
    if power.idle == .on { return }
    power.idle = .on
    checkIdle()
    powerChanged()
  }

  private func idleTimerFired() {
    // Who has leased it shows what the daemon does not see.
    if leasing.current != nil { power.lastChange = now }
    checkIdle()
    powerChanged()
    run()
  }

  private func checkIdle() {
    if power.limits.isNever { return }
    let idle = now - power.lastChange
    power.idle = power.limits.power(afterIdle: idle)
    if let next = power.limits.nextStep(afterIdle: idle) { power.timer?.arm(power.lastChange + next) }
  }

  /// Lets the scheduler know; the next commit does it.
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

  /// Commits darkness; false where it is dark that way already.
  func commitDarkness() throws(OutputError) -> Bool {
    let wanted = power.effective
    if wanted == power.committed { return false }
    // Black would light up a monitor that sleeps because nobody shows anything.
    if wanted == .blank, power.committed == .on, onScreen.entries.isEmpty { return false }
    let mode = output.info.mode
    var frame = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
    if wanted == .blank {
      let black = try output.makeBuffer(width: mode.width, height: mode.height, format: .xrgb8888)
      let bounds = Rect(width: mode.width, height: mode.height)
      frame = OutputFrame(buffer: black, source: bounds, damage: DamageRegion(bounds), cursor: nil)
      power.black = black
    }
    try output.commit(frame, fit: .mode(mode))
    if wanted == .off { power.black = nil }
    power.committed = wanted
    composer.invalidate()
    return true
  }
}
