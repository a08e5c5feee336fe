extension OutputScheduler {
  /// Signals the fences that are due: in order, each once, at the VM's rate, and none later than the release timeout.
  ///
  /// Fences are a timeline: one release covers all frames up to the oldest that is still held, so that a flood of
  /// superseded frames needs no queue.
  mutating func flushReleases(at now: Nanoseconds, into decisions: inout FrameDecisions) {
    for position in vms.indices { flushReleases(of: position, at: now, into: &decisions) }
  }

  /// The same for one VM.
  mutating func flushReleases(of position: Int, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    guard let first = vms[position].firstUnreleased else { return }
    // Usually neither is due, or the frame is still held.
    let isOverdue = vms[position].firstUnreleasedAt + configuration.releaseTimeoutNanoseconds <= now
    if !isOverdue {
      if vms[position].releaseAllowedAt > now { return }
      if let held = oldestHeldID(position), held <= first { return }
    }
    releaseInTurn(position, at: now, into: &decisions)
    releaseOverdue(position, at: now, into: &decisions)
  }

  private mutating func releaseInTurn(
    _ position: Int, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) {
    guard let first = vms[position].firstUnreleased, vms[position].releaseAllowedAt <= now else { return }
    let held = oldestHeld(position)
    if let held, held.id <= first { return }
    release(position, upTo: held, at: now, into: &decisions)
    let interval = releaseInterval(position)
    let slack = interval <= timing.periodNanoseconds ? interval / 4 : timing.periodNanoseconds
    vms[position].releaseAllowedAt = max(vms[position].releaseAllowedAt + interval, now + interval - slack)
  }

  /// At the release timeout also the fence of a frame that is still held.
  private mutating func releaseOverdue(
    _ position: Int, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) {
    while let first = vms[position].firstUnreleased,
      vms[position].firstUnreleasedAt + configuration.releaseTimeoutNanoseconds <= now
    {
      release(position, upTo: nextHeld(position, after: first), at: now, into: &decisions)
    }
  }

  /// Releases all fences of frames before `held`, or all if there is none.
  private mutating func release(
    _ position: Int, upTo held: HeldFrame?, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) {
    guard let last = vms[position].lastAccepted else { return }
    let through = held.map { FrameID($0.id.rawValue &- 1) } ?? last
    decisions.releases.append(FenceRelease(vm: vms[position].id, through: through))
    vms[position].firstUnreleased = held?.id
    vms[position].firstUnreleasedAt = held?.ready ?? 0
  }

  /// The oldest frame that keeps its fence and those after it from being released.
  ///
  /// A VM that does not have the output gets the fence of the frame in its slot at the background rate.
  @inline(__always)
  private func oldestHeld(_ position: Int) -> HeldFrame? {
    if let staged = vms[position].staged, !staged.isRepeat { return staged }
    if let completed = vms[position].completed, !completed.isRepeat { return completed }
    if let working = vms[position].working { return working }
    if let slot = vms[position].slot, !slot.isRepeat, isSeen(position) { return slot }
    return nil
  }

  /// Only its number, without moving the frame.
  @inline(__always)
  private func oldestHeldID(_ position: Int) -> FrameID? {
    if let staged = vms[position].staged, !staged.isRepeat { return staged.id }
    if let completed = vms[position].completed, !completed.isRepeat { return completed.id }
    if let working = vms[position].working { return working.id }
    if let slot = vms[position].slot, !slot.isRepeat, isSeen(position) { return slot.id }
    return nil
  }

  /// The oldest held frame after one.
  @inline(__always)
  private func nextHeld(_ position: Int, after frame: FrameID) -> HeldFrame? {
    if let staged = vms[position].staged, staged.id > frame { return staged }
    if let completed = vms[position].completed, completed.id > frame { return completed }
    if let working = vms[position].working, working.id > frame { return working }
    if let slot = vms[position].slot, slot.id > frame { return slot }
    return nil
  }

  /// Whether a VM's frames can come on screen under the policy.
  @inline(__always)
  func isSeen(_ position: Int) -> Bool {
    isVisible && (policy != .exclusive || grant.holder == vms[position].id)
  }

  /// The least time between two releases: that of the VM's rate.
  @inline(__always)
  private func releaseInterval(_ position: Int) -> Nanoseconds {
    var rate = vms[position].cap.rate
    if !isSeen(position) {
      rate = min(rate, vms[position].configuration.unseenMillihertz ?? configuration.backgroundMillihertz)
    }
    if holdsToFloor(position) { rate = min(rate, vms[position].floor.rate) }
    return rate >= timing.refreshMillihertz ? timing.periodNanoseconds : 1_000_000_000_000 / rate
  }

  /// The next time at which something other than a commit falls due.
  mutating func nextUpkeep() -> Nanoseconds? {
    refreshUpkeeps()
    var earliest = policy == .exclusive ? grant.deadline ?? .max : .max
    for position in vms.indices { earliest = min(earliest, upkeeps[position]) }
    return earliest == .max ? nil : earliest
  }

  /// The same for one VM; `.max` for never.
  @inline(__always)
  func nextUpkeep(of position: Int) -> Nanoseconds {
    guard let first = vms[position].firstUnreleased else { return .max }
    var earliest = vms[position].firstUnreleasedAt + configuration.releaseTimeoutNanoseconds
    let held = oldestHeldID(position)
    if held.map({ $0 > first }) ?? true { earliest = min(earliest, vms[position].releaseAllowedAt) }
    return earliest
  }
}
