import DaemonSettings
import FrameScheduler

extension Presenter {
  /// Sets limits; a hold that already exceeds them ends now.
  func setLimits(_ limits: ExclusiveLimits) {
    self.limits = limits
    schedule.update {
      $0.setExclusiveLimits(
        maximumHoldNanoseconds: limits.maximumHoldSeconds.map { $0 * 1_000_000_000 },
        watchdogNanoseconds: limits.watchdogSeconds.map { $0 * 1_000_000_000 }, at: $1)
    }
    run()
  }

  /// Whether the output has a single holder that can be revoked.
  var canBeRevoked: Bool { sharing.isExclusive }

  /// Takes the output from its holder, which goes to the end of the queue. The VM that has waited longest gets it.
  func revoke() {
    leasing.reason = "the host took \(name) back"
    accept(schedule.decide { $0.revokeExclusive(at: $1, into: &$2) })
    queueAll()
    run()
  }

  /// Queues all VMs except the holder for the output; VMs that are already waiting keep their place.
  func queueAll() {
    guard sharing.isExclusive else { return }
    for view in views where schedule.state.grant.holder != view.id {
      if !schedule.state.grant.waiters.contains(where: { $0.vm == view.id }) { requestOutput(view.id) }
    }
  }
}
