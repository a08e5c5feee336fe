/// Decides for one output (CRTC) which VM's frames go into which atomic commit, and when.
///
/// A pure value: events and the time go in, decisions come out. It reads no clock, does no I/O, and allocates nothing
/// once its VMs are added, so the simulator and production run the same code. One caller at a time.
///
/// The rules (Docs/Scheduler.md): at most one commit between two flips; only ready frames, the newest of each VM;
/// as late before the vblank as is safe; nothing changed, no commit; no wake-up when idle. A sole VM's frame is
/// committed at once when the output is idle.
///
/// ```swift
/// var scheduler = try OutputScheduler(timing: OutputTiming(refreshMillihertz: 60_000), policy: .hybrid)
/// var decisions = FrameDecisions()
/// try scheduler.addVM(VMID(1), VMConfiguration(owner: uid), at: clock.now)
///
/// // A client's frame, its fence signalled:
/// let receipt = scheduler.frameReady(VMID(1), frame: FrameID(7), byteCount: bytes, at: clock.now, into: &decisions)
/// apply(decisions)
///
/// // The timer, armed at `scheduler.nextWake` (absolute; nil: disarm it) after every call:
/// scheduler.wake(at: clock.now, into: &decisions)
/// if decisions.promotesAhead { swapPictures() }
/// for blit in decisions.blits { copy(blit) }
/// if !decisions.blits.isEmpty { scheduler.blitsDone(at: clock.now) }
/// if decisions.commits {
///   let begun = clock.now
///   if kms.commit(decisions.latches) {
///     scheduler.commitDone(begunAt: begun, at: clock.now)
///   } else {
///     scheduler.commitAbandoned(at: clock.now, into: &decisions)
///   }
/// }
/// for release in decisions.releases { signalFences(of: release.vm, through: release.frame) }
///
/// // The page-flip event:
/// scheduler.flipDone(sequence: event.sequence, timestamp: event.time, at: clock.now, into: &decisions)
/// ```
public struct OutputScheduler: Sendable {
  // What only looks at the table, and is called for each VM, is inlined: a call of it copies the scheduler first, 1 KB.

  /// The constants that the scheduler was made with.
  public let configuration: SchedulerConfiguration
  /// The mode's timing.
  public internal(set) var timing: OutputTiming
  /// Who goes first when not everything fits.
  public internal(set) var policy: SchedulingPolicy
  /// Who has the output to itself under the `exclusive` policy.
  public internal(set) var grant: ExclusiveGrant
  /// The model of the output's vblanks.
  public internal(set) var predictor: VblankPredictor

  /// Whether anybody sees the output.
  public internal(set) var isVisible = true

  /// Whether the hardware refreshes when a frame comes.
  var isVariable = false
  var lastFlipAt: Nanoseconds?

  var vms: [VMState] = []
  /// For each place in the table: what the plan has to know of the VM, and the next time at which something other than a
  /// commit falls due for it, `.max` for never.
  var outlooks: [VMOutlook]
  var upkeeps: [Nanoseconds]
  /// Which of them are to be made anew: a bit for each place.
  var staleOutlooks = UInt64.max
  var staleUpkeeps = UInt64.max
  /// The policy's part of it changes with the policy.
  var rules: ServiceRules
  var timer: LatchTimer
  var clock: FairClock
  var heap: CandidateHeap
  /// Where round robin goes on.
  var cursor = 0

  /// The commit whose flip event is awaited: the vblank it was for, and when it was decided.
  var pendingFlip: PendingFlip?
  /// The last vblank whose commit was decided on.
  var doneIndex: Int64 = -1
  /// The blit time was scarce in the last interval, so the next begins at its first moment.
  var startsEarly = false
  /// The picture must be committed anew even without a new frame.
  var isDirty = false
  /// Something that is no frame wants a commit, as late as is safe: a cursor has moved.
  var isTouched = false
  /// What the last commit under `exclusive` showed.
  var displayed = Displayed.tiles
  var plan: Plan? { didSet { updateNextWake() } }
  var upkeepWake: Nanoseconds? { didSet { updateNextWake() } }
  /// When to call `wake(at:into:)` next, or `nil` for not before the next event. Changes with every call. Stored,
  /// because a caller in another module copies the scheduler to compute it.
  public private(set) var nextWake: Nanoseconds?
  /// Whether blits were planned since the last commit, how much longer they took than planned, and when the last ones
  /// end, or ended.
  var hasPlannedBlits = false
  var blitOverrun: Nanoseconds = 0
  var engineFreeAt: Nanoseconds = .min / 2
  var lastWake: Nanoseconds = 0
  /// Whether a part of a frame may be in the next picture, or ahead: else the table need not be searched for it.
  var mayHavePart = false
  var mayHaveAhead = false
  /// The rate that copies of all VMs took of late.
  var copyRate: CopyRate

  var windowBusy: Nanoseconds = 0
  var windowStart: Nanoseconds?
  var utilisationPermille: Int64 = 0

  /// Makes the scheduler of one output and reserves its storage.
  ///
  /// Throws `SchedulerError.outOfRange` if a number of the configuration is.
  public init(
    timing: OutputTiming, policy: SchedulingPolicy = .hybrid, configuration: SchedulerConfiguration = .init()
  ) throws(SchedulerError) {
    try configuration.validate()
    let capacity = Int(configuration.maximumVMCount)
    self.configuration = configuration
    self.timing = timing
    self.policy = policy
    rules = ServiceRules(
      policy: policy, bandNanoseconds: configuration.bandNanoseconds, flipNanoseconds: configuration.flipNanoseconds,
      picosecondsPerByte: configuration.picosecondsPerByte)
    copyRate = CopyRate(picosecondsPerByte: configuration.picosecondsPerByte, slowerDivisor: 64)
    grant = ExclusiveGrant(capacity: capacity)
    predictor = VblankPredictor(periodNanoseconds: timing.periodNanoseconds)
    timer = LatchTimer(configuration: configuration, period: timing.periodNanoseconds)
    clock = FairClock(maximumVMCount: capacity)
    heap = CandidateHeap(capacity: capacity)
    vms.reserveCapacity(capacity)
    outlooks = Array(repeating: VMOutlook(), count: capacity)
    upkeeps = Array(repeating: .max, count: capacity)
  }

  @inline(__always)
  private mutating func updateNextWake() {
    nextWake = plan.map { min($0.wake, upkeepWake ?? .max) } ?? upkeepWake
  }

  /// Whether a commit is out whose flip event has not come.
  public var isFlipPending: Bool { pendingFlip != nil }

  /// The VMs on the output, in the order in which they were added.
  public var vmCount: Int { vms.count }

  /// What a VM got up to now.
  public func statistics(of vm: VMID) -> VMStatistics? {
    position(of: vm).map { vms[$0].statistics }
  }

  /// The rate in millihertz that a VM's cap holds it to; `nil` where it has none below the refresh rate.
  public func heldMillihertz(of vm: VMID) -> Int64? {
    position(of: vm).flatMap { vms[$0].cap.isLimiting ? vms[$0].cap.rate : nil }
  }

  /// How long a copy of one byte takes on this host, in picoseconds.
  public var picosecondsPerByte: Int64 { copyRate.picosecondsPerByte }

  /// The adaptive red zone at present: the margin between the last moment for a commit and its vblank.
  public var redZoneNanoseconds: Nanoseconds { timer.redZone }

  @inline(__always)
  func position(of vm: VMID) -> Int? {
    for position in vms.indices where vms[position].id == vm { return position }
    return nil
  }
}

extension OutputScheduler {
  /// A commit on its way.
  struct PendingFlip: Sendable {
    var index: Int64
    var decidedAt: Nanoseconds
    /// Whether it was decided without regard to the vblank, so that its flip says nothing of the red zone.
    var isImmediate: Bool
  }

  /// What is on screen under `exclusive`.
  enum Displayed: Hashable, Sendable {
    case tiles
    case fallback
    case vm(VMID)
  }

  /// When and for which vblank to decide next.
  struct Plan: Sendable {
    var index: Int64
    var wake: Nanoseconds
    /// From when on the decision includes the commit.
    var final: Nanoseconds
    /// When to look for late frames a last time, where the blits end long before.
    var lastCall: Nanoseconds
    /// The last moment for the commit.
    var latchBy: Nanoseconds
    /// Until when a promised frame that is due at this vblank must be ready to count as in time.
    var promiseBy: Nanoseconds
    /// Blit time before `latchBy` that is kept for promised frames that are not ready yet.
    var reserve: Nanoseconds
    var isImmediate: Bool
  }
}
