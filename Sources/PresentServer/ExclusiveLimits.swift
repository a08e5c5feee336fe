import FrameScheduler

/// How long a VM may have an output to itself while others wait for it.
struct ExclusiveLimits: Equatable {
  /// Nothing that the VM does extends it; nil: for ever.
  var maximumHoldSeconds: Int64?
  /// So long without a frame, and the VM counts as hung: the next one has the output, or without one the host's black
  /// picture is shown. nil: never.
  var watchdogSeconds: Int64?

  /// What a text says of them; 0 is never.
  struct Change {
    var maximumHoldSeconds: Int64?
    var watchdogSeconds: Int64?
  }

  mutating func take(_ change: Change) {
    if let seconds = change.maximumHoldSeconds { maximumHoldSeconds = seconds == 0 ? nil : seconds }
    if let seconds = change.watchdogSeconds { watchdogSeconds = seconds == 0 ? nil : seconds }
  }
}

extension Presenter {
  /// Takes limits; a hold that is longer already ends now.
  func setLimits(_ limits: ExclusiveLimits) {
    self.limits = limits
    scheduler.setExclusiveLimits(
      maximumHoldNanoseconds: limits.maximumHoldSeconds.map { $0 * 1_000_000_000 },
      watchdogNanoseconds: limits.watchdogSeconds.map { $0 * 1_000_000_000 }, at: now)
    run()
  }

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
