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
    for position in vms.indices {
      guard let eligible = eligibleIndex(position), eligible <= plan.index else { continue }
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
  func canWorkAhead(_ position: Int, for index: Int64) -> Bool {
    guard startsEarly, usesShares, !isPromised(position) else { return false }
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
      guard vms[position].servedPromise == nil, working.cost <= declaredCost(position) else { return }
      vms[position].servedPromise = promise(position, readyAt: working.ready, for: plan)
      vms[position].floor.consume(at: plan.index)
    } else if vms[position].slot != nil, vms[position].slotPromise == nil {
      vms[position].slotPromise = promise(position, readyAt: vms[position].firstReady, for: plan)
    }
  }

  private func promise(_ position: Int, readyAt: Nanoseconds, for plan: Plan) -> Promise? {
    guard let level = vms[position].configuration.serviceLevel else { return nil }
    let slot = vms[position].floor.currentSlot(at: plan.index)
    let passed = predictor.time(of: plan.index) - predictor.time(of: slot.opens)
    let isOnTime = !vms[position].wasSilent && readyAt <= plan.promiseBy - passed
    let opens = isOnTime ? slot.opens : slot.next
    return Promise(deadline: opens + level.deadlineVblanks - 1, isOnTime: isOnTime)
  }

  private func declaredCost(_ position: Int) -> Nanoseconds {
    max(vms[position].configuration.serviceLevel?.frameNanoseconds ?? 0, configuration.flipNanoseconds)
  }

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
    return Candidate(key: key, vm: vms[position].id, position: position)
  }

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
    let extra = slotsBeyondDeclared(position)
    return CandidateKey(
      level: extra == 0 ? Level.promised : Level.overrunning,
      primary: promise.deadline + vms[position].floor.vblanks(ofSlots: extra),
      secondary: -vms[position].statistics.missed)
  }

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
  private func fairKey(_ position: Int, for index: Int64, level: Int64) -> CandidateKey {
    if let working = vms[position].working {
      return CandidateKey(
        level: level, primary: vms[position].runIndex == index ? vms[position].runTag : vms[position].finish,
        secondary: working.cost - vms[position].workingDone)
    }
    return CandidateKey(
      level: level, primary: vms[position].startTag, secondary: vms[position].slot?.cost ?? 0)
  }

  /// Constant-bandwidth server: a frame that costs more than declared pays with the following slots.
  private func slotsBeyondDeclared(_ position: Int) -> Int64 {
    guard vms[position].configuration.serviceLevel != nil, let frame = vms[position].slot else { return 0 }
    let cost = (vms[position].path == .blit ? frame.cost : 0) + vms[position].overrun
    let declared = declaredCost(position)
    return cost > declared ? min(ceilingDivide(cost, declared) - 1, 1_000) : 0
  }

  /// Takes a frame out of the slot for service. A frame that is under way goes on.
  mutating func begin(_ candidate: Candidate, for index: Int64) {
    let position = candidate.position
    vms[position].servedIndex = vms[position].completed == nil ? index : index + 1
    guard vms[position].working == nil, let frame = vms[position].slot else {
      noteRun(position, index: index)
      return
    }
    vms[position].finish = vms[position].startTag
    vms[position].runIndex = -1
    noteRun(position, index: index)
    usePromise(position, isPromised: candidate.key.level <= Level.overrunning, for: vms[position].servedIndex)
    if policy == .roundRobin { cursor = (position + 1) % vms.count }
    vms[position].slot = nil
    vms[position].working = frame
    vms[position].workingDone = 0
  }

  /// Within one interval a frame keeps the tag with which it was taken up, so that equals do not take turns.
  private mutating func noteRun(_ position: Int, index: Int64) {
    guard vms[position].runIndex != index else { return }
    vms[position].runIndex = index
    vms[position].runTag = vms[position].finish
  }

  /// Charges for a part of a frame that is served: its start tag becomes the virtual time.
  mutating func charge(_ duration: Nanoseconds, to candidate: Candidate) {
    let position = candidate.position
    if vms[position].configuration.isBackground { backgroundCredit -= duration }
    guard usesShares, candidate.key.level >= Level.starving else { return }
    clock.advance(to: vms[position].runTag)
    vms[position].finish += FairClock.share(of: duration, weight: vms[position].weight)
  }

  /// The same for a frame that only needs a plane: it takes no blit time, but is not free.
  mutating func chargeFlip(_ position: Int, for index: Int64) {
    vms[position].servedIndex = index
    let start = vms[position].startTag
    let isDue = isPromised(position) && vms[position].floor.isDue(at: index) && vms[position].slotPromise != nil
    usePromise(position, isPromised: isDue, for: index)
    if usesShares, !isDue {
      let share = FairClock.share(of: configuration.flipNanoseconds, weight: vms[position].weight)
      vms[position].finish = start + share
    }
  }

  private var usesShares: Bool {
    switch policy {
    case .weightedFair, .sla, .hybrid: true
    case .fifo, .roundRobin, .exclusive: false
    }
  }

  private mutating func usePromise(_ position: Int, isPromised: Bool, for index: Int64) {
    if vms[position].cap.isLimiting { vms[position].cap.consume(at: index) }
    if isPromised, self.isPromised(position), var promise = vms[position].slotPromise {
      let extra = slotsBeyondDeclared(position)
      vms[position].floor.consume(at: index, extra: extra)
      vms[position].overrun = 0
      promise.deadline += vms[position].floor.vblanks(ofSlots: extra)
      promise.isWithinDeclared = extra == 0
      vms[position].servedPromise = promise
    } else {
      vms[position].servedPromise = nil
    }
    vms[position].slotPromise = nil
  }
}
