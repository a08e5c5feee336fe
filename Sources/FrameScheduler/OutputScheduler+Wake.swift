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
      begin(candidate, for: plan.index)
      let end = blit(candidate.position, from: time, until: min(limit, sliceEnd), into: &decisions)
      charge(end - time, to: candidate)
      time = end
      if vms[candidate.position].working != nil, vms[candidate.position].completed == nil {
        if time < limit { hasMore = true } else { isShort = true }
      } else if vms[candidate.position].working == nil, canWorkAhead(candidate.position, for: plan.index) {
        heap.insert(self.candidate(candidate.position, for: plan.index, at: now))
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

  /// Runs whole bands of a frame; the last one may end up to one band after `limit`.
  private mutating func blit(
    _ position: Int, from time: Nanoseconds, until limit: Nanoseconds, into decisions: inout FrameDecisions
  ) -> Nanoseconds {
    guard let frame = vms[position].working else { return time }
    let done = vms[position].workingDone
    let bands = ceilingDivide(limit - time, configuration.bandNanoseconds)
    let isAhead = vms[position].completed != nil
    let duration = min(
      frame.cost - done - (isAhead ? configuration.bandNanoseconds : 0), bands * configuration.bandNanoseconds)
    let completes = done + duration == frame.cost
    let begin = bytes(of: frame, after: done)
    let end = completes ? frame.byteCount : bytes(of: frame, after: done + duration)
    decisions.blits.append(
      BlitOrder(
        vm: vms[position].id, frame: frame.id, bytes: begin..<end, completes: completes, nanoseconds: duration))
    vms[position].statistics.blitNanoseconds += duration
    if completes {
      vms[position].completed = frame
      vms[position].completedPromise = vms[position].servedPromise
      vms[position].working = nil
      vms[position].servedPromise = nil
    } else {
      vms[position].workingDone = done + duration
    }
    return time + duration
  }

  private func bytes(of frame: HeldFrame, after duration: Nanoseconds) -> Int64 {
    min(frame.byteCount, duration * 1_000 / configuration.picosecondsPerByte)
  }

  /// One commit with every copied tile and every ready plane.
  private mutating func commit(_ plan: Plan, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    doneIndex = max(doneIndex, plan.index)
    if policy == .exclusive { noteDisplayed(&decisions) }
    for position in vms.indices where isSeen(position) {
      if let copied = vms[position].completed {
        vms[position].completed = nil
        vms[position].stagedPromise = vms[position].completedPromise
        stage(copied, of: position, path: .blit, into: &decisions)
      } else if vms[position].working == nil, vms[position].path == .plane, let slot = vms[position].slot,
        let eligible = eligibleIndex(position), eligible <= plan.index
      {
        chargeFlip(position, for: plan.index)
        vms[position].slot = nil
        vms[position].stagedPromise = vms[position].servedPromise
        vms[position].servedPromise = nil
        stage(slot, of: position, path: .plane, into: &decisions)
      }
    }
    guard !decisions.latches.isEmpty || isDirty || isTouched else { return }
    decisions.commits = true
    decisions.needsFullDamage = isDirty
    isDirty = false
    isTouched = false
    pendingFlip = PendingFlip(index: plan.index, decidedAt: now, isImmediate: plan.isImmediate)
  }

  mutating func stage(
    _ frame: HeldFrame, of position: Int, path: FramePath, into decisions: inout FrameDecisions
  ) {
    vms[position].staged = frame
    vms[position].stagedPath = path
    decisions.latches.append(
      LatchedFrame(vm: vms[position].id, frame: frame.id, path: path, isRepeat: frame.isRepeat))
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
