extension OutputScheduler {
  /// Decides what falls due at `now`; call it when `nextWake` has come. An early or needless call does no harm.
  public mutating func wake(at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    if policy == .exclusive { expireGrant(at: now, into: &decisions) }
    var mustWait = false
    if let plan, plan.wake <= now { mustWait = !decide(plan, at: now, into: &decisions) }
    flushReleases(at: now, into: &decisions)
    replan(at: now)
    // Nothing can be copied now, and the commit is not due yet.
    if mustWait, let later = plan { plan?.wake = max(now, now < later.final ? later.final : later.lastCall) }
  }

  /// Returns false if it is too early: there is nothing to do before the plan's last moment.
  private mutating func decide(_ due: Plan, at now: Nanoseconds, into decisions: inout FrameDecisions) -> Bool {
    var plan = due
    if !plan.isImmediate, engineFreeAt < plan.wake { timer.noteWake(lateness: now - plan.wake) }
    // Woken late, the red zone may be used up; after that it is another vblank's turn.
    if plan.isImmediate || now + timer.commitCost > predictor.time(of: plan.index) {
      guard let later = makePlan(at: now), later.wake <= now else { return true }
      plan = later
    }
    lastWake = now
    accountTime(at: now)
    let service = serve(plan, at: now, into: &decisions)
    if service.end > now { hasPlannedBlits = true }
    windowBusy += service.end - now
    engineFreeAt = service.end
    let isFinal = plan.isImmediate || now >= plan.final
    // Where the blits end early, or frames wait that cannot be served in this interval, its rest is for late ones.
    let slack = service.isShort ? 0 : configuration.sliceNanoseconds / 2
    let isDue = isFinal && !service.hasMore && service.end + slack >= plan.lastCall
    guard !service.isInPicture, service.end >= plan.latchBy || isDue else {
      return service.end > now || service.hasMore
    }
    startsEarly = service.hasMore || service.isShort
    self.plan = nil
    commit(plan, at: now, into: &decisions)
    return true
  }

  /// The blits of one decision.
  private struct Served {
    /// When they end by plan.
    var end: Nanoseconds
    /// Whether there is more to do in this interval.
    var hasMore = false
    /// Whether some must wait for the next.
    var isShort = false
    /// Whether a part of a frame is in the next picture, so that there can be no commit.
    var isInPicture = false
  }

  /// Blits in the policy's order, one slice at most, so that the caller comes back to its events in between.
  private mutating func serve(_ plan: Plan, at now: Nanoseconds, into decisions: inout FrameDecisions) -> Served {
    let isFinal = plan.isImmediate || now >= plan.final
    promoteAhead(for: plan, isFinal: isFinal, at: now, into: &decisions)
    collectCandidates(for: plan, at: now)
    let sliceEnd = now + configuration.sliceNanoseconds
    var served = Served(end: now)
    var current = picturePosition
    while !served.hasMore, var candidate = heap.removeFirst() {
      let time = served.end
      let limit = limit(of: candidate, in: plan, isFinal: isFinal)
      var isInOrder = true
      if let current, current != candidate.position {
        guard time < sliceEnd else {
          served.hasMore = true
          break
        }
        if !goesBefore(current, candidate, in: plan, from: time, until: limit, sliceEnd) {
          heap.insert(candidate)
          candidate = self.candidate(current, for: plan.index, at: now)
          isInOrder = false
        }
      }
      let isCurrent = current == candidate.position
      guard isCurrent || time < limit else {
        served.isShort = true
        continue
      }
      guard time < sliceEnd else {
        served.hasMore = true
        break
      }
      // It was served out of its turn, and has no more for this interval.
      if vms[candidate.position].completed != nil, !canWorkAhead(candidate.position, for: plan.index) { continue }
      let target = target(of: candidate, from: time, until: limit)
      if target == .ahead {
        // One frame at a time: its turn is also that of a frame that has to wait for it.
        if let other = aheadPosition, other != candidate.position {
          served.isShort = true
          guard isSeen(other) else { continue }
          isInOrder = false
          candidate = self.candidate(other, for: plan.index, at: now)
        }
        guard canGoOnAhead(candidate.position) else {
          served.isShort = true
          continue
        }
        mayHaveAhead = true
      }
      let position = candidate.position
      let end = target == .next ? sliceEnd : min(limit, sliceEnd)
      let service = vms[position].serve(
        candidate.key, in: target, for: plan.index, from: time, until: end, rules, into: &decisions)
      account(service, of: candidate, isInOrder: isInOrder)
      served.end = service.end
      current = vms[position].isInPicture ? position : (isCurrent ? nil : current)
      if vms[position].isInPicture {
        served.hasMore = true
      } else if service.isUnfinished {
        if canGoOnAhead(position), service.end < limit { served.hasMore = true } else { served.isShort = true }
      } else if service.isIdle, canWorkAhead(position, for: plan.index) {
        heap.insert(self.candidate(position, for: plan.index, at: now))
      }
    }
    served.isInPicture = current != nil
    mayHavePart = served.isInPicture
    if served.isInPicture { served.hasMore = true }
    settleClock(isBusy: served.hasMore || served.isShort)
    return served
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

  /// What a service is to others than the VM: the virtual time is that of its start, if it was the VM's turn.
  private mutating func account(
    _ service: Service, of candidate: Candidate, isInOrder: Bool
  ) {
    if service.hasBegun, policy == .roundRobin { cursor = (candidate.position + 1) % vms.count }
    if service.isCharged, isInOrder { clock.advance(to: service.runTag) }
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
    decisions.isVariable = followsCommits
    isDirty = false
    isTouched = false
    pendingFlip = PendingFlip(index: plan.index, decidedAt: now, isImmediate: plan.isImmediate)
  }

  /// Closes the hybrid policy's windows.
  private mutating func accountTime(at now: Nanoseconds) {
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
