extension OutputScheduler {
  /// Computes `nextWake` anew after an event that may have changed anything.
  mutating func replan(at now: Nanoseconds) {
    noteChange()
    plan = makePlan(at: now)
    upkeepWake = nextUpkeep()
  }

  /// The same after an event that has changed one VM alone.
  mutating func replan(at now: Nanoseconds, after position: Int) {
    noteChange(of: position)
    plan = makePlan(at: now)
    upkeepWake = nextUpkeep()
  }

  /// When to decide next and for which vblank, or `nil` if nothing could be committed.
  ///
  /// The commit for vblank V is due at `L = V − lead`. Its decision falls at `L` less the blit time of what is ready
  /// (as late as is safe), at once if the output is idle and there is only one VM, and as early as the vblank before
  /// if blit time is scarce.
  mutating func makePlan(at now: Nanoseconds) -> Plan? {
    guard pendingFlip == nil, !(policy == .exclusive && grant.isLeased) else { return nil }
    refreshOutlooks()
    if followsCommits { return makeVariablePlan(at: now) }
    let isImmediate = !predictor.isAnchored || (isAlone && commitsAtOnce(at: now))
    let lead = isImmediate ? timer.commitCost : timer.lead
    var first = predictor.isAnchored ? predictor.index(atOrAfter: now + lead) : doneIndex + 1
    // A decision that is due already keeps its vblank as long as the red zone lasts.
    if let plan, plan.wake <= now, !isImmediate, now + timer.commitCost <= predictor.time(of: plan.index) {
      first = min(first, plan.index)
    }
    first = max(first, doneIndex + 1)

    var index = isDirty || isTouched ? first : Int64.max
    // By index, here and below: unoptimised, some iterators allocate.
    for position in vms.indices where outlooks[position].eligible < index {
      index = max(first, outlooks[position].eligible)
      if index == first { break }
    }
    guard index < .max else { return nil }
    let (work, reserve, promised) = demand(at: index)
    if isImmediate, index == first || !predictor.isAnchored {
      // Before the first flip there is no vblank to go by: whatever is copied within one period goes first.
      let unanchored = plan.map(\.latchBy) ?? now + timing.periodNanoseconds
      let latchBy = predictor.isAnchored ? predictor.time(of: index) - lead : unanchored
      return Plan(
        index: index, wake: max(now, engineFreeAt, capBarrier), final: now, lastCall: now, latchBy: latchBy,
        promiseBy: now, reserve: 0, isImmediate: true)
    }
    let latchBy = predictor.time(of: index) - timer.lead
    let before = predictor.time(of: index - 1)
    let margin = timer.timerLateness
    let overrun = work > 0 ? timer.blitOverrun : 0
    let final = max(before, latchBy - (reserve > 0 ? reserve + overrun : work + overrun) - margin)
    var wake = final
    if work > 0 {
      wake = startsEarly ? before : max(before, min(final, latchBy - work - reserve - overrun - margin))
    }
    return Plan(
      index: index, wake: max(wake, now, engineFreeAt), final: final, lastCall: latchBy - overrun - margin,
      latchBy: latchBy, promiseBy: latchBy - promised - timer.blitOverrun - margin, reserve: reserve, isImmediate: false
    )
  }

  /// Before when a sole VM's cap lets no commit go: one that took less time than most would be a vblank early.
  private var capBarrier: Nanoseconds {
    guard predictor.isAnchored else { return .min }
    var barrier = Nanoseconds.min
    for position in vms.indices where vms[position].cap.isLimiting {
      guard let eligible = eligibleIndex(position), eligible > 0 else { continue }
      barrier = max(barrier, predictor.time(of: eligible - 1) + timing.periodNanoseconds / 32)
    }
    return barrier
  }

  /// The blit time that ready frames need for a vblank, what to keep for promised frames that may still come, and
  /// what all promised frames of that vblank may need.
  @inline(__always)
  private func demand(
    at index: Int64
  ) -> (work: Nanoseconds, reserve: Nanoseconds, promised: Nanoseconds) {
    var work: Nanoseconds = 0
    var reserve: Nanoseconds = 0
    var promised: Nanoseconds = 0
    let time = predictor.time(of: index)
    for position in vms.indices {
      let outlook = outlooks[position]
      if outlook.eligible <= index { work += outlook.work }
      guard outlook.declared > 0 else { continue }
      let isServed = outlook.servedIndex >= index
      guard isServed || outlook.dueIndex <= index else { continue }
      promised += outlook.declared
      // Of late it showed a frame; for one that is silent no time is kept.
      if outlook.eligible > index, !isServed, outlook.aliveUntil > time { reserve += outlook.declared }
    }
    let period = timing.periodNanoseconds
    return (min(work, period), min(reserve, period), min(promised, period))
  }

  /// The first vblank that a VM's frame can be for, or `nil` if it has none.
  @inline(__always)
  func eligibleIndex(_ position: Int) -> Int64? {
    guard isSeen(position) else { return nil }
    if vms[position].completed != nil || vms[position].working != nil { return 0 }
    guard let slot = vms[position].slot else { return nil }
    if slot.isRepeat || followsCommits { return 0 }
    var index = vms[position].servedIndex + 1
    if vms[position].cap.isLimiting {
      // After a frame that came late the next one is not hurried.
      var open = max(vms[position].cap.dueIndex, vms[position].servedIndex + vms[position].cap.leastVblanks)
      // What is promised at another step than the cap's is not held back by it.
      if isPromised(position) { open = min(open, vms[position].floor.dueIndex) }
      index = max(index, open)
    }
    if holdsToFloor(position) { index = max(index, vms[position].floor.dueIndex) }
    return index
  }

  /// Whether only one VM can come on screen, so that nobody else can be delayed by an early commit.
  @inline(__always)
  var isAlone: Bool { vms.count == 1 || policy == .exclusive }

  /// Whether a sole VM's commit need not wait: what has only been touched leaves the vblank to a frame that may come.
  @inline(__always)
  private func commitsAtOnce(at now: Nanoseconds) -> Bool {
    var hasFrame = false
    for position in vms.indices where outlooks[position].eligible < .max { hasFrame = true }
    if hasFrame && configuration.commitsSoleFramesAtOnce { return true }
    return (hasFrame || isDirty) && isIdle(at: now)
  }

  /// Whether a whole vblank has passed without a commit.
  @inline(__always)
  func isIdle(at now: Nanoseconds) -> Bool {
    guard predictor.isAnchored else { return true }
    return now >= predictor.time(of: doneIndex + 1) && !startsEarly
  }

  /// Whether the policy keeps the VM's service level.
  @inline(__always)
  func isPromised(_ position: Int) -> Bool {
    (policy == .sla || policy == .hybrid) && vms[position].configuration.serviceLevel != nil && !followsCommits
  }

  /// Whether the VM gets no more than its promised rate.
  @inline(__always)
  func holdsToFloor(_ position: Int) -> Bool {
    isPromised(position) && (policy == .sla || vms[position].protection.isProtected)
  }
}
