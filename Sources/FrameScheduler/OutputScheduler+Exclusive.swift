extension OutputScheduler {
  /// A VM asks for the output to itself. It is granted when it is free, else the VM waits.
  ///
  /// Throws `SchedulerError.unknownVM`.
  public mutating func requestExclusive(
    _ vm: VMID, priority: Int = 0, asLease: Bool = false, at now: Nanoseconds,
    into decisions: inout FrameDecisions
  ) throws(SchedulerError) {
    decisions.removeAll()
    guard position(of: vm) != nil else { throw .unknownVM(vm) }
    let before = grant.holder
    grant.request(vm, priority: priority, asLease: asLease, at: now)
    holderMayHaveChanged(from: before, into: &decisions)
    replan(at: now)
  }

  /// Gives the output to a VM by the host's command, before all waiters.
  ///
  /// If the holder has it as a lease, `revokedLease` names it, and the VM follows when the lease is back.
  public mutating func focus(
    on vm: VMID, asLease: Bool = false, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) throws(SchedulerError) {
    decisions.removeAll()
    guard position(of: vm) != nil else { throw .unknownVM(vm) }
    let before = grant.holder
    decisions.revokedLease = grant.focus(vm, asLease: asLease, at: now)
    holderMayHaveChanged(from: before, into: &decisions)
    replan(at: now)
  }

  /// Revokes the output from its holder by the host's command (secure attention, peer policy).
  public mutating func revokeExclusive(at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    let before = grant.holder
    decisions.revokedLease = grant.end(at: now)
    holderMayHaveChanged(from: before, into: &decisions)
    replan(at: now)
  }

  /// The lease is back: the kernel has revoked it, or the lessee closed it.
  public mutating func leaseReturned(at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    let before = grant.holder
    grant.leaseReturned(at: now)
    isDirty = isDirty || policy == .exclusive
    displayed = .tiles
    holderMayHaveChanged(from: before, into: &decisions)
    replan(at: now)
  }

  /// Sets how long a VM may hold the output, and when a holder counts as hung; `nil` is never.
  public mutating func setExclusiveLimits(
    maximumHoldNanoseconds: Nanoseconds?, watchdogNanoseconds: Nanoseconds?, at now: Nanoseconds
  ) {
    grant.maximumHoldNanoseconds = maximumHoldNanoseconds
    grant.watchdogNanoseconds = watchdogNanoseconds
    replan(at: now)
  }

  mutating func expireGrant(at now: Nanoseconds, into decisions: inout FrameDecisions) {
    let before = grant.holder
    let wasHung = grant.isHung
    decisions.revokedLease = grant.expire(at: now)
    if grant.isHung != wasHung, grant.isHung, !grant.isLeased { isDirty = true }
    holderMayHaveChanged(from: before, into: &decisions)
    noteChange()
    if isDirty, plan == nil { plan = makePlan(at: now) }
  }

  /// The first commit for another holder redraws everything; its last frame comes back if it has no newer one.
  mutating func holderMayHaveChanged(from before: VMID?, into decisions: inout FrameDecisions) {
    guard policy == .exclusive else { return }
    guard grant.holder != before || displayed == .tiles else { return }
    isDirty = true
    for position in vms.indices where vms[position].id != grant.holder { setAside(position, into: &decisions) }
    if isVisible, let holder = grant.holder, let position = position(of: holder) { repeatShown(of: position) }
  }

  /// Records what this commit shows under `exclusive`, and requests the host's picture if the holder has none.
  mutating func noteDisplayed(_ decisions: inout FrameDecisions) {
    let holder = grant.holder.flatMap { position(of: $0) }
    let hasPicture =
      holder.map { vms[$0].hasReadyFrame || (vms[$0].shown != nil && displayed == .vm(vms[$0].id)) } ?? false
    let next: Displayed =
      if isVisible, let holder, hasPicture, !grant.isHung { .vm(vms[holder].id) } else { .fallback }
    if next != displayed { isDirty = true }
    displayed = next
    decisions.showsFallback = next == .fallback
  }
}
