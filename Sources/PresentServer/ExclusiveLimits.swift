import DaemonSettings
import FrameScheduler

extension Presenter {
  /// Takes limits; a hold that is longer already ends now.
  func setLimits(_ limits: ExclusiveLimits) {
    self.limits = limits
    scheduler.setExclusiveLimits(
      maximumHoldNanoseconds: limits.maximumHoldSeconds.map { $0 * 1_000_000_000 },
      watchdogNanoseconds: limits.watchdogSeconds.map { $0 * 1_000_000_000 }, at: now)
    run()
  }

  /// Whether one client has the output to itself, and others may have it next.
  var canBeRevoked: Bool { sharing.isExclusive }

  /// Takes the output from the VM that has it to itself; it goes to whoever has waited longest, and the VM to the end of
  /// the queue.
  func revoke() {
    leasing.reason = "the host took \(name) back"
    scheduler.revokeExclusive(at: now, into: &decisions)
    reportUnseen()
    queueAll()
    run()
  }

  /// Everybody but the holder waits for the output; who waits already keeps its place.
  func queueAll() {
    guard sharing.isExclusive else { return }
    for tile in tiles where scheduler.grant.holder != tile.id {
      if !scheduler.grant.waiters.contains(where: { $0.vm == tile.id }) { requestOutput(tile.id) }
    }
  }
}
