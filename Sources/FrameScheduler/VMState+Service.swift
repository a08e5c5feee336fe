/// By what rules frames are served: constants of an output, and its policy.
struct ServiceRules: Sendable {
  var policy: SchedulingPolicy
  var bandNanoseconds: Nanoseconds
  var flipNanoseconds: Nanoseconds
  /// How long a copy of one byte takes on this host.
  var picosecondsPerByte: Int64

  /// Whether the policy keeps service levels.
  @inline(__always)
  var keepsPromises: Bool { policy == .sla || policy == .hybrid }

  /// Whether the policy shares time by weights.
  @inline(__always)
  var usesShares: Bool { policy == .weightedFair || policy == .sla || policy == .hybrid }
}

/// What a part of a frame that was served has come to.
struct Service: Sendable {
  /// When its blit ends.
  var end: Nanoseconds
  /// The tag with which it was taken up in this interval.
  var runTag: Int64
  /// Whether its frame came out of the slot now.
  var hasBegun: Bool
  /// Whether the time counts against the VM's share, because nothing was promised for the frame.
  var isCharged: Bool
  /// Whether the frame that is due is not copied yet.
  var isUnfinished: Bool
  /// Whether nothing is being copied any more.
  var isIdle: Bool
}

/// Each call is one access to the scheduler's table: everything that changes is in here.
extension VMState {
  @inline(__always)
  func isPromised(_ rules: ServiceRules) -> Bool { rules.keepsPromises && configuration.serviceLevel != nil }

  /// Runs bands of the VM's next frame, or of the one that is under way, and charges for them.
  mutating func serve(
    _ key: CandidateKey, in target: BlitTarget, for index: Int64, from time: Nanoseconds, until limit: Nanoseconds,
    _ rules: ServiceRules, into decisions: inout FrameDecisions
  ) -> Service {
    let hasBegun = begin(isPromised: key.level <= Level.overrunning, for: index, rules)
    isAhead = target == .ahead
    let isCharged = rules.usesShares && servedPromise == nil
    let end = blit(from: time, until: limit, rules, into: &decisions)
    let tag = runTag
    if isCharged { finish += FairClock.share(of: end - time, weight: configuration.weight) }
    return Service(
      end: end, runTag: tag, hasBegun: hasBegun, isCharged: isCharged,
      isUnfinished: working != nil && completed == nil, isIdle: working == nil)
  }

  /// Takes the frame out of the slot for service. A frame that is under way goes on.
  private mutating func begin(isPromised: Bool, for index: Int64, _ rules: ServiceRules) -> Bool {
    servedIndex = completed == nil ? index : index + 1
    guard working == nil, let frame = slot else {
      noteRun(index)
      return false
    }
    finish = startTag
    runIndex = -1
    noteRun(index)
    usePromise(isPromised: isPromised, for: servedIndex, rules)
    slot = nil
    working = frame
    workingDone = 0
    return true
  }

  /// Within one interval a frame keeps the tag with which it was taken up, so that equals do not take turns.
  private mutating func noteRun(_ index: Int64) {
    guard runIndex != index else { return }
    runIndex = index
    runTag = finish
  }

  /// Runs whole bands of a frame; the last one may end up to one band after `limit`.
  private mutating func blit(
    from time: Nanoseconds, until limit: Nanoseconds, _ rules: ServiceRules, into decisions: inout FrameDecisions
  ) -> Nanoseconds {
    guard let frame = working else { return time }
    let done = workingDone
    // Only in the picture of a commit a frame may end.
    let left = max(0, frame.cost - done - (isAhead ? rules.bandNanoseconds : 0))
    // Most frames fit, and need no division.
    let room = limit - time
    let duration =
      left <= room ? left : min(left, ceilingDivide(room, rules.bandNanoseconds) * rules.bandNanoseconds)
    let completes = done + duration == frame.cost && !isAhead
    let begin = done == 0 ? 0 : frame.bytes(after: done)
    let end = completes ? frame.byteCount : frame.bytes(after: done + duration)
    decisions.blits.append(
      BlitOrder(
        vm: id, frame: frame.id, target: isAhead ? .ahead : .next, bytes: begin..<end, completes: completes,
        nanoseconds: duration))
    statistics.blitNanoseconds += duration
    if completes {
      completed = frame
      completedPromise = servedPromise
      working = nil
      servedPromise = nil
    } else {
      workingDone = done + duration
    }
    return time + duration
  }

  /// Charges for a frame that only needs a plane: it takes no blit time, but is not free.
  mutating func chargeFlip(for index: Int64, _ rules: ServiceRules) {
    servedIndex = index
    let start = startTag
    let isDue = slotPromise != nil && isPromised(rules) && floor.isDue(at: index)
    usePromise(isPromised: isDue, for: index, rules)
    if rules.usesShares, !isDue {
      finish = start + FairClock.share(of: rules.flipNanoseconds, weight: configuration.weight)
    }
  }

  private mutating func usePromise(isPromised isDue: Bool, for index: Int64, _ rules: ServiceRules) {
    if cap.isLimiting { cap.consume(at: index) }
    if isDue, isPromised(rules), var promise = slotPromise {
      let extra = slotsBeyondDeclared(rules)
      floor.consume(at: index, extra: extra)
      promise.deadline += floor.vblanks(ofSlots: extra)
      promise.isWithinDeclared = extra == 0
      servedPromise = promise
    } else {
      servedPromise = nil
    }
    slotPromise = nil
  }

  /// Constant-bandwidth server: a frame that costs more than declared pays with the following slots.
  @inline(__always)
  func slotsBeyondDeclared(_ rules: ServiceRules) -> Int64 {
    guard let level = configuration.serviceLevel, let frame = slot else { return 0 }
    // A slow host is not the VM's fault, but slow memory is.
    if let byteCount = level.frameByteCount, frame.byteCount <= byteCount,
      copyRate.picosecondsPerByte <= 2 * rules.picosecondsPerByte
    {
      return 0
    }
    let cost = path == .blit ? frame.cost : 0
    let declared = declaredCost(rules)
    return cost > declared ? min(ceilingDivide(cost, declared) - 1, 1_000) : 0
  }

  @inline(__always)
  func declaredCost(_ rules: ServiceRules) -> Nanoseconds {
    max(configuration.serviceLevel?.frameNanoseconds ?? 0, rules.flipNanoseconds)
  }

  /// The copied frame goes into the commit.
  mutating func stageCopied(into decisions: inout FrameDecisions) {
    guard let frame = completed else { return }
    completed = nil
    stagedPromise = completedPromise
    stage(frame, .blit, into: &decisions)
  }

  /// The frame in the slot goes into the commit as it is.
  mutating func stagePlane(for index: Int64, _ rules: ServiceRules, into decisions: inout FrameDecisions) {
    guard let frame = slot else { return }
    chargeFlip(for: index, rules)
    slot = nil
    stagedPromise = servedPromise
    servedPromise = nil
    stage(frame, .plane, into: &decisions)
  }

  private mutating func stage(_ frame: HeldFrame, _ path: FramePath, into decisions: inout FrameDecisions) {
    staged = frame
    decisions.latches.append(LatchedFrame(vm: id, frame: frame.id, path: path, isRepeat: frame.isRepeat))
  }
}

extension HeldFrame {
  /// The bytes that are copied after so long.
  @inline(__always)
  func bytes(after duration: Nanoseconds) -> Int64 { min(byteCount, duration * 1_000 / picosecondsPerByte) }
}
