extension OutputScheduler {
  /// Decides what falls due at `now`; call it when `nextWake` has come. An early or needless call does no harm.
  public mutating func wake(at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    expirePending(at: now, into: &decisions)
    if policy == .exclusive { expireGrant(at: now, into: &decisions) }
    if let plan, plan.wake <= now { decide(plan, at: now, into: &decisions) }
    flushReleases(at: now, into: &decisions)
    replan(at: now)
  }

  private mutating func decide(_ due: Plan, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    var plan = due
    if !plan.isImmediate, engineFreeAt < plan.wake { timer.noteWake(lateness: now - plan.wake) }
    // Woken late, the red zone may be used up; after that it is another vblank's turn.
    if plan.isImmediate || now + timer.commitCost > predictor.time(of: plan.index) {
      guard let later = makePlan(at: now), later.wake <= now else { return }
      plan = later
    }
    lastWake = now
    accountTime(at: now)
    let service = serve(plan, at: now, into: &decisions)
    plannedBlits += service.end - now
    windowBusy += service.end - now
    engineFreeAt = service.end
    let isFinal = plan.isImmediate || now >= plan.final
    guard service.end >= plan.latchBy || (isFinal && !service.hasMore) else { return }
    startsEarly = service.hasMore || service.isShort
    self.plan = nil
    commit(plan, at: now, into: &decisions)
  }

  /// Blits in the policy's order, one slice at most, so that the caller comes back to its events in between.
  ///
  /// Returns when the blits end by plan, whether there is more to do in this interval, and whether some must wait
  /// for the next.
  private mutating func serve(
    _ plan: Plan, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) -> (end: Nanoseconds, hasMore: Bool, isShort: Bool) {
    collectCandidates(for: plan, at: now)
    let isFinal = plan.isImmediate || now >= plan.final
    let sliceEnd = now + configuration.sliceNanoseconds
    var (time, hasMore, isShort) = (now, false, false)
    while !hasMore, let candidate = heap.removeFirst() {
      let limit =
        candidate.key.level <= Level.promised || isFinal ? plan.latchBy : plan.latchBy - plan.reserve
      guard time < limit else {
        isShort = true
        continue
      }
      guard time < sliceEnd else {
        hasMore = true
        break
      }
      let position = candidate.position
      let service = vms[position].serve(
        candidate.key, for: plan.index, from: time, until: min(limit, sliceEnd), rules, into: &decisions)
      account(service, of: candidate, from: time)
      time = service.end
      if service.isUnfinished {
        if time < limit { hasMore = true } else { isShort = true }
      } else if service.isIdle, canWorkAhead(position, for: plan.index) {
        heap.insert(self.candidate(position, for: plan.index, at: now))
      }
    }
    settleClock(isBusy: hasMore || isShort)
    return (time, hasMore, isShort)
  }

  private mutating func settleClock(isBusy: Bool) {
    clock.settle(isBusy: isBusy, over: vms)
    guard let amount = clock.rebase() else { return }
    for position in vms.indices {
      vms[position].finish = max(0, vms[position].finish - amount)
      vms[position].runTag = max(0, vms[position].runTag - amount)
      vms[position].arrivalTag = max(0, vms[position].arrivalTag - amount)
    }
  }

  /// What a service is to others than the VM: the virtual time is that of its start.
  private mutating func account(_ service: Service, of candidate: Candidate, from time: Nanoseconds) {
    if candidate.isBackground { backgroundCredit -= service.end - time }
    if service.hasBegun, policy == .roundRobin { cursor = (candidate.position + 1) % vms.count }
    if rules.usesShares, candidate.key.level >= Level.starving { clock.advance(to: service.runTag) }
  }

  /// One commit with every copied tile and every ready plane.
  private mutating func commit(_ plan: Plan, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    doneIndex = max(doneIndex, plan.index)
    if policy == .exclusive { noteDisplayed(&decisions) }
    for position in vms.indices where isSeen(position) {
      if vms[position].completed != nil {
        vms[position].stageCopied(into: &decisions)
      } else if vms[position].path == .plane, vms[position].working == nil, vms[position].slot != nil,
        let eligible = eligibleIndex(position), eligible <= plan.index, isOpen(position, at: now)
      {
        vms[position].stagePlane(for: plan.index, rules, into: &decisions)
      }
    }
    guard !decisions.latches.isEmpty || isDirty || isTouched else { return }
    decisions.commits = true
    decisions.needsFullDamage = isDirty
    isDirty = false
    isTouched = false
    pendingFlip = PendingFlip(index: plan.index, decidedAt: now, isImmediate: plan.isImmediate)
  }

  /// Lets the background's sure part grow, and closes the hybrid policy's windows.
  private mutating func accountTime(at now: Nanoseconds) {
    let elapsed = min(now - (lastCreditAt ?? now), 1_000_000_000)
    lastCreditAt = now
    let limit = 1_000_000 * configuration.backgroundPermille
    backgroundCredit = min(limit, backgroundCredit + elapsed * configuration.backgroundPermille / 1_000)
    let start = windowStart ?? now
    windowStart = start
    if now - start >= 1_000_000_000 {
      utilisationPermille = windowBusy * 1_000 / (now - start)
      windowBusy = 0
      windowStart = now
    }
    guard policy == .hybrid else { return }
    for position in vms.indices {
      guard let level = vms[position].configuration.serviceLevel else { continue }
      vms[position].protection.update(
        at: now, rateMillihertz: level.rateMillihertz, utilisationPermille: utilisationPermille)
    }
  }
}
