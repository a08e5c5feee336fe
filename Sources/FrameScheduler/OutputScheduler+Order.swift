/// The classes of candidates that go strictly one after the other.
enum Level {
  /// Promised frames that are due: the only ones that may use time that is kept for promises.
  static let promised: Int64 = 1
  /// Promised frames that cost more than declared, in the order of their postponed deadlines.
  static let overrunning: Int64 = 2
  static let starving: Int64 = 3
  static let shared: Int64 = 4
}

extension OutputScheduler {
  /// Collects the VMs that may be served for a vblank, with the keys of the policy.
  mutating func collectCandidates(for plan: Plan, at now: Nanoseconds) {
    gatherCandidates(for: plan, at: now)
    heap.build()
  }

  private mutating func gatherCandidates(for plan: Plan, at now: Nanoseconds) {
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
  }

  /// At the beginning of an interval: makes the picture that is ahead the next one if the frame in it can end before the
  /// commit, after those that the policy serves before it. That frame then goes first, in half of the time at most, so
  /// that frames which come meanwhile are served too.
  mutating func promoteAhead(for plan: Plan, isFinal: Bool, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    guard mayHaveAhead else { return }
    guard let position = aheadPosition else {
      mayHaveAhead = false
      return
    }
    guard isSeen(position), isPictureEmpty else { return }
    gatherCandidates(for: plan, at: now)
    let candidate = candidate(position, for: plan.index, at: now)
    let room = limit(of: candidate, in: plan, isFinal: isFinal) + configuration.bandNanoseconds - now
    let left = vms[position].remainingCost
    // One that has little left delays nobody, but keeps others from being copied ahead.
    let isShort = left <= 2 * configuration.bandNanoseconds
    let before = heap.sum(before: candidate) { other in
      // A frame that does not fit leaves its turn to the one that is ahead.
      let cost = vms[other.position].remainingCost
      return cost > room || (isShort && other.key.level > Level.overrunning) ? 0 : cost
    }
    guard before + left <= room, isShort || left <= room / 2 else { return }
    vms[position].isAhead = false
    mayHavePart = true
    decisions.promotesAhead = true
  }

  /// The VM whose frame is copied ahead, if there is one.
  var aheadPosition: Int? {
    guard mayHaveAhead else { return nil }
    for position in vms.indices where vms[position].isAhead { return position }
    return nil
  }

  /// The VM of whose frame a part is in the next picture, if there is one.
  var picturePosition: Int? {
    guard mayHavePart else { return nil }
    for position in vms.indices where vms[position].isInPicture { return position }
    return nil
  }

  /// Whether a candidate may be served before the frame of which a part is in the next picture: both must end before the
  /// commit, and it at once, so that only one frame is there in part.
  func goesBefore(
    _ current: Int, _ candidate: Candidate, in plan: Plan, from time: Nanoseconds, until limit: Nanoseconds,
    _ sliceEnd: Nanoseconds
  ) -> Bool {
    let position = candidate.position
    guard vms[position].completed == nil, vms[position].working == nil else { return false }
    let end = time + vms[position].remainingCost
    return end <= min(limit, sliceEnd) && end + vms[current].remainingCost <= plan.latchBy
  }

  /// Whether nothing was copied into the next picture since the last commit.
  private var isPictureEmpty: Bool {
    for position in vms.indices where vms[position].completed != nil || vms[position].isInPicture { return false }
    return true
  }

  /// Until when a candidate may be served: time that is kept for promised frames is theirs until the last moment.
  @inline(__always)
  func limit(of candidate: Candidate, in plan: Plan, isFinal: Bool) -> Nanoseconds {
    candidate.key.level <= Level.promised || isFinal ? plan.latchBy : plan.latchBy - plan.reserve
  }

  /// Where a VM's next part goes: a frame that cannot end before the commit is copied ahead.
  @inline(__always)
  func target(of candidate: Candidate, from time: Nanoseconds, until limit: Nanoseconds) -> BlitTarget {
    let position = candidate.position
    if vms[position].working != nil { return vms[position].isAhead ? .ahead : .next }
    guard vms[position].completed == nil else { return .ahead }
    let cost = vms[position].remainingCost
    // A long frame leaves time for short ones that come meanwhile, unless it is promised.
    let isLong = cost > configuration.sliceNanoseconds && candidate.key.level > Level.promised
    let margin = isLong ? -2 * configuration.bandNanoseconds : configuration.bandNanoseconds
    return time + cost <= limit + margin || vms.count == 1 ? .next : .ahead
  }

  /// While blit time is scarce, a VM whose frame is copied may begin its next one for the vblank after, so that no
  /// blit time is lost; it can't end it.
  @inline(__always)
  func canWorkAhead(_ position: Int, for index: Int64) -> Bool {
    guard startsEarly, rules.usesShares, !isPromised(position) else { return false }
    if vms[position].working != nil { return canGoOnAhead(position) }
    guard let slot = vms[position].slot, !slot.isRepeat, slot.cost > configuration.bandNanoseconds else { return false }
    return !vms[position].cap.isLimiting || vms[position].cap.isDue(at: index + 1)
  }

  /// Whether a frame that is copied ahead has more to copy than its last band, which only a commit's picture gets.
  @inline(__always)
  func canGoOnAhead(_ position: Int) -> Bool {
    vms[position].remainingCost > configuration.bandNanoseconds
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
      key = fairKey(position, for: index)
    case .exclusive:
      key.level = Level.promised
    case .sla, .hybrid:
      key = promisedKey(position, for: index) ?? sharedKey(position, for: index, at: now)
    }
    return Candidate(key: key, vm: vms[position].id, position: position)
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
      if isStarving { return CandidateKey(level: Level.starving, primary: since, secondary: 0) }
    }
    return fairKey(position, for: index)
  }

  /// A frame that is under way competes with the tag of the part that is left, so that a long one delays nobody
  /// for longer than one interval; of equal tags the one with less left goes first.
  @inline(__always)
  private func fairKey(_ position: Int, for index: Int64) -> CandidateKey {
    if let working = vms[position].working {
      return CandidateKey(
        level: Level.shared, primary: vms[position].runIndex == index ? vms[position].runTag : vms[position].finish,
        secondary: working.cost - vms[position].workingDone)
    }
    return CandidateKey(
      level: Level.shared, primary: vms[position].startTag, secondary: vms[position].slot?.cost ?? 0)
  }
}
