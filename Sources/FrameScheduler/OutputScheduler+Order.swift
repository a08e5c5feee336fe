/// The classes of candidates that go strictly one after the other.
enum Level {
  /// Promised frames that are due: the only ones that may use time that is kept for promises.
  static let promised: Int64 = 1
  /// Promised frames that cost more than declared, in the order of their postponed deadlines.
  static let overrunning: Int64 = 2
  static let starving: Int64 = 3
  static let shared: Int64 = 4
  static let background: Int64 = 5
}

extension OutputScheduler {
  /// Collects the VMs that may be served for a vblank, with the keys of the policy.
  mutating func collectCandidates(for plan: Plan, at now: Nanoseconds) {
    heap.removeAll()
    // Nothing has changed since the outlooks were made but what frames are pending.
    for position in vms.indices where outlooks[position].eligible <= plan.index {
      if vms[position].completed != nil {
        guard canWorkAhead(position, for: plan.index) else { continue }
      } else {
        prepare(position, for: plan)
      }
      guard vms[position].working != nil || vms[position].path == .blit else { continue }
      heap.append(candidate(position, for: plan.index, at: now))
    }
    heap.build()
  }

  /// While blit time is scarce, a VM whose frame is copied may begin its next one for the vblank after, so that no
  /// blit time is lost; it can't end it.
  @inline(__always)
  func canWorkAhead(_ position: Int, for index: Int64) -> Bool {
    guard startsEarly, rules.usesShares, !isPromised(position) else { return false }
    if let working = vms[position].working {
      return working.cost - vms[position].workingDone > configuration.bandNanoseconds
    }
    guard let slot = vms[position].slot, !slot.isRepeat, slot.cost > configuration.bandNanoseconds else { return false }
    return !vms[position].cap.isLimiting || vms[position].cap.isDue(at: index + 1)
  }

  /// Gives a frame its promise when it first is a candidate; it stays when the frame is superseded.
  private mutating func prepare(_ position: Int, for plan: Plan) {
    guard isPromised(position), vms[position].floor.isDue(at: plan.index) else { return }
    if let working = vms[position].working {
      // It was begun with time left over; from now on it is the frame that was promised.
      guard vms[position].servedPromise == nil, working.cost <= vms[position].declaredCost(rules) else { return }
      vms[position].servedPromise = promise(position, readyAt: working.ready, for: plan)
      vms[position].floor.consume(at: plan.index)
    } else if vms[position].slot != nil, vms[position].slotPromise == nil {
      vms[position].slotPromise = promise(position, readyAt: vms[position].firstReady, for: plan)
    }
  }

  @inline(__always)
  private func promise(_ position: Int, readyAt: Nanoseconds, for plan: Plan) -> Promise? {
    guard let level = vms[position].configuration.serviceLevel else { return nil }
    let slot = vms[position].floor.currentSlot(at: plan.index)
    let passed = predictor.time(of: plan.index) - predictor.time(of: slot.opens)
    let isOnTime = !vms[position].wasSilent && readyAt <= plan.promiseBy - passed
    let opens = isOnTime ? slot.opens : slot.next
    return Promise(deadline: opens + level.deadlineVblanks - 1, isOnTime: isOnTime)
  }

  @inline(__always)
  func candidate(_ position: Int, for index: Int64, at now: Nanoseconds) -> Candidate {
    let isBegun = vms[position].working != nil
    var key = CandidateKey(level: Level.shared, primary: 0, secondary: 0)
    switch policy {
    case .fifo:
      key.primary = isBegun ? .min : vms[position].firstReady
    case .roundRobin:
      key.primary = isBegun ? -1 : Int64((position - cursor + vms.count) % vms.count)
    case .weightedFair:
      key = fairKey(position, for: index, level: Level.shared)
    case .exclusive:
      key.level = Level.promised
    case .sla, .hybrid:
      key = promisedKey(position, for: index) ?? sharedKey(position, for: index, at: now)
    }
    return Candidate(
      key: key, vm: vms[position].id, position: position, isBackground: vms[position].configuration.isBackground)
  }

  @inline(__always)
  private func promisedKey(_ position: Int, for index: Int64) -> CandidateKey? {
    if vms[position].working != nil {
      return vms[position].servedPromise.map { promise in
        CandidateKey(
          level: promise.isWithinDeclared ? Level.promised : Level.overrunning, primary: promise.deadline,
          secondary: -vms[position].statistics.missed)
      }
    }
    guard isPromised(position), let promise = vms[position].slotPromise, vms[position].floor.isDue(at: index) else {
      return nil
    }
    let extra = vms[position].slotsBeyondDeclared(rules)
    return CandidateKey(
      level: extra == 0 ? Level.promised : Level.overrunning,
      primary: promise.deadline + vms[position].floor.vblanks(ofSlots: extra),
      secondary: -vms[position].statistics.missed)
  }

  @inline(__always)
  private func sharedKey(_ position: Int, for index: Int64, at now: Nanoseconds) -> CandidateKey {
    if policy == .hybrid {
      let since = vms[position].working?.ready ?? vms[position].firstReady
      let isStarving = now - since >= configuration.starvationNanoseconds / 2
      let hasReserve = vms[position].configuration.isBackground && backgroundCredit > 0
      if isStarving || hasReserve { return CandidateKey(level: Level.starving, primary: since, secondary: 0) }
    }
    return fairKey(
      position, for: index, level: vms[position].configuration.isBackground ? Level.background : Level.shared)
  }

  /// A frame that is under way competes with the tag of the part that is left, so that a long one delays nobody
  /// for longer than one interval; of equal tags the one with less left goes first.
  @inline(__always)
  private func fairKey(_ position: Int, for index: Int64, level: Int64) -> CandidateKey {
    if let working = vms[position].working {
      return CandidateKey(
        level: level, primary: vms[position].runIndex == index ? vms[position].runTag : vms[position].finish,
        secondary: working.cost - vms[position].workingDone)
    }
    return CandidateKey(
      level: level, primary: vms[position].startTag, secondary: vms[position].slot?.cost ?? 0)
  }
}
