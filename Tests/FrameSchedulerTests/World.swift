import FrameSimulator

@testable import FrameScheduler

/// Drives an `OutputScheduler` as a daemon would, on an output with exact vblanks, and checks the rules of
/// Docs/Scheduler.md on everything that it decides. One byte takes one nanosecond to copy.
struct World {
  struct Blit: Hashable {
    var vm: VMID
    var frame: FrameID
    var start: Nanoseconds
    var duration: Nanoseconds
    var completes: Bool
  }

  /// A frame of which a part is in a picture.
  private struct Part: Hashable {
    var vm: VMID
    var frame: FrameID
  }

  struct Shown: Hashable {
    var vm: VMID
    var frame: FrameID
    var time: Nanoseconds
    var readyAt: Nanoseconds
  }

  private struct Frame {
    var arrived: Nanoseconds
    var byteCount: Int64
    var isSettled = false
    var copied: Int64 = 0
    var isReleased = false
  }

  static let firstVblank: Nanoseconds = 3_000_000

  var scheduler: OutputScheduler
  private(set) var period: Nanoseconds
  private(set) var now: Nanoseconds = 0
  private(set) var blits: [Blit] = []
  private(set) var shown: [Shown] = []
  private(set) var commits: [Nanoseconds] = []
  private(set) var violations: [Violation] = []
  private(set) var latchLog: [[LatchedFrame]] = []
  private(set) var releases: [(time: Nanoseconds, release: FenceRelease)] = []
  private(set) var wakeCount = 0
  /// What is done to every decision: a scheduler that is broken on purpose.
  var fault: ((inout FrameDecisions) -> Void)?
  /// What every blit and commit is compared with.
  var reference: NaiveScheduler?
  /// What the last commit left undone for want of blit time.
  private var hasLeftover = false
  private var lastVirtualTime: (rebased: Int64, now: Int64) = (0, 0)
  /// VMs whose planes the display refuses.
  var refusing: Set<VMID> = []
  /// Whether the display refuses the next commit on every path.
  var refusesNextCommit = false
  var commitNanoseconds: Nanoseconds = 100_000
  var decisions = FrameDecisions()
  private var frames: [VMID: [FrameID: Frame]] = [:]
  private var lastFrame: [VMID: UInt64] = [:]
  private var onScreen: [VMID: FrameID] = [:]
  /// What is copied in part into the next picture, and ahead.
  private var parts: [BlitTarget: Part] = [:]
  private var flipAt: Nanoseconds?
  /// The first vblank of the mode.
  private var origin = firstVblank
  private var lastFlipAt: Nanoseconds = -1_000_000_000
  private let releaseTimeout: Nanoseconds

  init(
    policy: SchedulingPolicy = .hybrid, refreshMillihertz: Int64 = 60_000,
    configure: (inout SchedulerConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = SchedulerConfiguration()
    configuration.picosecondsPerByte = 1_000
    configure(&configuration)
    let timing = try OutputTiming(refreshMillihertz: refreshMillihertz)
    scheduler = try OutputScheduler(timing: timing, policy: policy, configuration: configuration)
    period = timing.periodNanoseconds
    releaseTimeout = configuration.releaseTimeoutNanoseconds
  }

  mutating func addVM(_ vm: UInt32, _ change: (inout VMConfiguration) -> Void = { _ in }) throws {
    var configuration = VMConfiguration(owner: UInt64(vm))
    configuration.path = .blit
    change(&configuration)
    try scheduler.addVM(VMID(vm), configuration, at: now)
    reference?.addVM(VMID(vm), weight: configuration.weight)
    frames[VMID(vm)] = [:]
  }

  mutating func removeVM(_ vm: UInt32) {
    scheduler.removeVM(VMID(vm), at: now, into: &decisions)
    apply()
    if frames[VMID(vm)]?.values.contains(where: { !$0.isReleased }) == true {
      violate("nothing after removal", "vm \(vm) left with fences held")
    }
    frames[VMID(vm)] = nil
    onScreen[VMID(vm)] = nil
    lastFrame[VMID(vm)] = nil
  }

  /// Announces a new frame; returns its number if it was accepted.
  @discardableResult
  mutating func submit(_ vm: UInt32, cost: Int64) -> FrameID? {
    let id = VMID(vm)
    let frame = FrameID((lastFrame[id] ?? 0) + 1)
    frames[id]?[frame] = Frame(arrived: now, byteCount: cost)
    let receipt = scheduler.frameReady(id, frame: frame, byteCount: cost, at: now, into: &decisions)
    guard receipt == .accepted else {
      frames[id]?[frame] = nil
      return nil
    }
    lastFrame[id] = frame.rawValue
    reference?.frameReady(id, frame, cost: cost, at: now)
    apply()
    return frame
  }

  /// Takes back a VM's frames and asks for a commit without them, as the daemon does when a VM blanks its screen.
  mutating func withdrawFrames(of vm: UInt32) {
    call { $0.withdrawFrames(of: VMID(vm), at: $2, into: &$1) }
    scheduler.invalidate(repeatingFrames: false, at: now)
  }

  /// The output has another mode from the next vblank on, which is that of a flip that is pending.
  mutating func setRefresh(_ refreshMillihertz: Int64) throws {
    let timing = try OutputTiming(refreshMillihertz: refreshMillihertz)
    guard timing != scheduler.timing else { return }
    period = timing.periodNanoseconds
    origin = flipAt ?? now + period
    scheduler.setTiming(timing, at: now)
  }

  /// Runs a call of the scheduler that fills `decisions`, and does what it decides.
  mutating func call(_ body: (inout OutputScheduler, inout FrameDecisions, Nanoseconds) throws -> Void) rethrows {
    try body(&scheduler, &decisions, now)
    apply()
  }

  /// Lets time pass: wake-ups and flips happen when they fall due.
  mutating func run(until end: Nanoseconds) {
    var idleSteps = 0
    while true {
      let wake = scheduler.nextWake ?? .max
      let next = min(wake, flipAt ?? .max)
      guard next <= end else { break }
      let before = now
      now = max(now, next)
      if let flip = flipAt, flip <= wake {
        flipAt = nil
        lastFlipAt = flip
        let sequence = UInt64(max(0, flip - origin) / period)
        scheduler.flipDone(sequence: sequence, timestamp: flip, at: now, into: &decisions)
        checkStart()
        noteFlip(at: flip)
      } else {
        wakeCount += 1
        let plan = duePlan
        scheduler.wake(at: now, into: &decisions)
        checkWork(plan)
        checkReference(plan)
      }
      apply()
      idleSteps = now > before ? 0 : idleSteps + 1
      if idleSteps > 1_000 {
        violate("progress", "a thousand wake-ups at \(now)")
        break
      }
    }
    now = max(now, end)
    checkFenceTimes()
  }

  mutating func run(for duration: Nanoseconds) { run(until: now + duration) }

  /// What the scheduler decides on when it is woken now.
  private var duePlan: OutputScheduler.Plan? {
    guard let plan = scheduler.plan, plan.wake <= now else { return nil }
    let isLate = now + scheduler.timer.commitCost > scheduler.predictor.time(of: plan.index)
    guard plan.isImmediate || isLate else { return plan }
    var other = scheduler
    guard let later = other.makePlan(at: now), later.wake <= now else { return nil }
    return later
  }

  private mutating func apply() {
    fault?(&decisions)
    checkVirtualTime()
    for discarded in decisions.discarded { settle(discarded.vm, discarded.frame) }
    let begin = now
    if decisions.promotesAhead { (parts[.next], parts[.ahead]) = (parts[.ahead], parts[.next]) }
    for blit in decisions.blits { note(blit) }
    if !decisions.blits.isEmpty { scheduler.blitsDone(at: now) }
    if now - begin > scheduler.configuration.sliceNanoseconds + scheduler.configuration.bandNanoseconds {
      violate("whole copies", "\(now - begin) ns of blits at once")
    }
    for release in decisions.releases { note(release) }
    if decisions.commits { commit() }
  }

  private mutating func commit() {
    checkCommit()
    let begun = now
    now += commitNanoseconds
    if refusesNextCommit {
      refusesNextCommit = false
      hasLeftover = false
      scheduler.commitAbandoned(at: now, into: &decisions)
      for discarded in decisions.discarded { settle(discarded.vm, discarded.frame) }
      for release in decisions.releases { note(release) }
      return
    }
    copyRefusedPlanes()
    latchLog.append(decisions.latches)
    commits.append(begun)
    scheduler.commitDone(begunAt: begun, at: now)
    if scheduler.followsCommits {
      flipAt = max(now + 50_000, lastFlipAt + period)
    } else {
      flipAt = origin + max(0, (now + 50_000 - origin + period - 1) / period) * period
    }
  }

  /// As in the daemon, frames on planes that the display refuses are copied, and committed again at once.
  private mutating func copyRefusedPlanes() {
    for latch in decisions.latches where latch.path == .plane && refusing.contains(latch.vm) {
      scheduler.setPath(.blit, of: latch.vm, at: now)
      scheduler.invalidate(repeatingFrames: false, at: now)
      now += commitNanoseconds + (frames[latch.vm]?[latch.frame]?.byteCount ?? 0)
    }
  }

  private mutating func note(_ blit: BlitOrder) {
    guard let frame = frames[blit.vm]?[blit.frame] else {
      return violate("nothing after removal", "blit of \(blit.vm), which is gone")
    }
    // A frame that comes back is copied anew, from its first byte.
    if blit.bytes.lowerBound != frame.copied, blit.bytes.lowerBound != 0 {
      violate("whole copies", "a gap in the bytes of \(blit.frame)")
    }
    if blit.completes, blit.bytes.upperBound != frame.byteCount {
      violate("whole copies", "completes before its last byte")
    }
    notePart(blit)
    frames[blit.vm]?[blit.frame]?.copied = blit.bytes.upperBound
    blits.append(
      Blit(vm: blit.vm, frame: blit.frame, start: now, duration: blit.nanoseconds, completes: blit.completes))
    now += blit.nanoseconds
  }

  /// A picture holds a part of one frame at most, and only the next one gets a last part.
  private mutating func notePart(_ blit: BlitOrder) {
    if blit.completes, blit.bytes.lowerBound == 0, blit.target == .next { return }
    let part = Part(vm: blit.vm, frame: blit.frame)
    if let other = parts[blit.target], other != part, isCopied(other, into: blit.target) {
      violate("whole pictures", "parts of \(other.vm) and \(blit.vm) in one picture")
    }
    if blit.completes, blit.target == .ahead { violate("whole pictures", "\(blit.vm) ends ahead") }
    parts[blit.target] = blit.completes ? nil : part
  }

  /// Whether a frame is still being copied into that picture: one that was taken back is painted over, and may have been
  /// begun again in the other picture.
  private func isCopied(_ part: Part, into target: BlitTarget) -> Bool {
    scheduler.vms.contains {
      $0.id == part.vm && $0.working?.id == part.frame && $0.isAhead == (target == .ahead)
    }
  }

  /// A commit leaves a frame that could be served only if the time that is left is too short for the whole frame, and
  /// for one more band of the frame that is ahead.
  private mutating func checkWork(_ plan: OutputScheduler.Plan?) {
    guard decisions.commits, let plan else { return }
    let end = now + decisions.blits.reduce(0) { $0 + $1.nanoseconds }
    let (left, band) = (plan.latchBy - end, scheduler.configuration.bandNanoseconds)
    let isTaken = scheduler.vms.contains(where: \.isAhead)
    hasLeftover = false
    for position in scheduler.vms.indices {
      let vm = scheduler.vms[position]
      guard vm.path == .blit || vm.working != nil, let eligible = scheduler.eligibleIndex(position),
        vm.staged == nil, eligible <= plan.index, vm.remainingCost > 0
      else { continue }
      hasLeftover = true
      let couldGoOn = vm.isAhead || !isTaken ? vm.remainingCost > band : vm.remainingCost < left - 2 * band
      if left > band, couldGoOn {
        violate(
          "no idle time while a frame waits",
          "\(left) ns are idle before the commit of \(plan.index) while \(vm.id) waits for \(vm.remainingCost) ns")
      }
    }
  }

  private mutating func checkReference(_ plan: OutputScheduler.Plan?) {
    guard let wanted = reference?.wake(plan, at: now) else { return }
    if decisions.blits != wanted.blits {
      violate("reference", "blits \(decisions.blits) instead of \(wanted.blits)")
    }
    if decisions.latches.map(\.frame) != wanted.latches {
      violate("reference", "commits \(decisions.latches.map(\.frame)) instead of \(wanted.latches)")
    }
  }

  /// What was left over goes on at the first moment of the next interval.
  private mutating func checkStart() {
    guard hasLeftover else { return }
    hasLeftover = false
    let waits = scheduler.vms.indices.contains { position in
      scheduler.vms[position].working != nil && scheduler.eligibleIndex(position) != nil
    }
    if waits, scheduler.nextWake ?? .max > max(now, scheduler.engineFreeAt) {
      violate(
        "no idle time while a frame waits",
        "a frame that was begun waits until \(scheduler.nextWake ?? -1), the flip was at \(now)")
    }
  }

  /// Virtual time never runs backwards.
  private mutating func checkVirtualTime() {
    let time = (rebased: scheduler.clock.rebased, now: scheduler.clock.now)
    if time < lastVirtualTime, time.rebased <= lastVirtualTime.rebased {
      violate("virtual time rises", "virtual time fell from \(lastVirtualTime) to \(time)")
    }
    lastVirtualTime = time
  }

  private mutating func checkCommit() {
    if flipAt != nil { violate("one commit at a time", "a commit while a flip is pending, at \(now)") }
    if decisions.latches.isEmpty, !decisions.needsFullDamage {
      violate("quiet without change", "an empty commit at \(now)")
    }
    if let part = parts[.next], isCopied(part, into: .next) {
      violate("whole pictures", "a part of \(part.vm) in a commit")
    }
    if Set(decisions.latches.map(\.vm)).count != decisions.latches.count {
      violate("one commit at a time", "a VM twice in a commit")
    }
    for latch in decisions.latches {
      guard let frame = frames[latch.vm]?[latch.frame] else {
        violate("nothing after removal", "a commit with \(latch.vm), which is gone")
        continue
      }
      if latch.path == .blit, frame.copied != frame.byteCount { violate("whole copies", "half a tile in a commit") }
    }
    if scheduler.policy == .exclusive, decisions.latches.contains(where: { $0.vm != scheduler.grant.holder }) {
      violate("only the holder is shown", "a commit with a frame of another than the holder")
    }
  }

  private mutating func noteFlip(at time: Nanoseconds) {
    for frame in decisions.shown {
      shown.append(Shown(vm: frame.vm, frame: frame.frame, time: time, readyAt: frame.readyAt))
      if let last = onScreen[frame.vm], frame.frame < last { violate("frame order", "\(frame.frame) after \(last)") }
      onScreen[frame.vm] = frame.frame
      settle(frame.vm, frame.frame)
    }
  }

  private mutating func settle(_ vm: VMID, _ frame: FrameID) {
    frames[vm]?[frame]?.isSettled = true
  }

  private mutating func note(_ release: FenceRelease) {
    releases.append((now, release))
    guard let known = frames[release.vm] else { return }
    let freed = known.filter { !$0.value.isReleased && $0.key <= release.through }
    if freed.isEmpty { violate("fence release", "a release of nothing: \(release)") }
    let isSeen = scheduler.isVisible && (scheduler.policy != .exclusive || scheduler.grant.holder == release.vm)
    for (id, frame) in freed {
      let age = now - frame.arrived
      if !frame.isSettled, isSeen, age < releaseTimeout, frame.copied < max(1, frame.byteCount) {
        violate("fence release", "fence of \(id) released too early, after \(age)")
      }
      frames[release.vm]?[id]?.isReleased = true
    }
  }

  /// Also forgets frames that are done with, but the newest and the one on screen.
  private mutating func checkFenceTimes() {
    for (vm, known) in frames {
      let kept = [lastFrame[vm].map { FrameID($0) }, onScreen[vm]]
      frames[vm] = known.filter { !($0.value.isReleased && $0.value.isSettled) || kept.contains($0.key) }
      for (id, frame) in known where !frame.isReleased && now - frame.arrived > releaseTimeout + 20_000_000 {
        violate("fence release", "fence of \(vm) \(id) held for \(now - frame.arrived)")
      }
    }
  }

  /// After a quiet time: every fence is released, the newest frame of every VM is on screen, no timer runs.
  mutating func checkQuiet() {
    for (vm, known) in frames {
      if known.values.contains(where: { !$0.isReleased }) {
        violate("fence release", "a fence of \(vm) is never released")
      }
      let newest = known.keys.max()
      guard scheduler.isVisible, scheduler.policy != .exclusive || scheduler.grant.holder == vm else { continue }
      if let newest, onScreen[vm] != newest, known[newest]?.isSettled == false {
        violate("the newest frame is shown", "frame \(newest) of \(vm) is lost")
      }
    }
    if scheduler.nextWake != nil { violate("quiet without change", "a timer runs while all is quiet") }
  }

  private mutating func violate(_ rule: String, _ detail: String) {
    if violations.count < 20 { violations.append(Violation(rule: rule, detail: detail)) }
  }
}
