import FrameScheduler

/// Runs an `OutputScheduler` against simulated VMs and a simulated output, in virtual time.
///
/// As in the daemon, one thread does everything: while it copies or commits, events wait. Timers fire late, the
/// output's clock drifts, and a commit that comes too late is on screen one vblank later.
struct OutputSimulation {
  enum Event {
    case frame(Int, epoch: Int)
    case wake(generation: Int)
    case flip(sequence: UInt64, time: Nanoseconds)
    case chore(Int)
  }

  /// What an atomic commit takes in the simulation, and how long before the vblank the hardware must have it.
  static let commitNanoseconds: Nanoseconds = 100_000
  static let hardwareNanoseconds: Nanoseconds = 50_000
  static let firstVblank: Nanoseconds = 3_000_000

  let workload: Workload
  let end: Nanoseconds
  var scheduler: OutputScheduler
  var decisions = FrameDecisions()
  var guests: [GuestState]
  var recorder: Recorder
  var events = EventQueue<Event>()
  var readyTimes: [[Nanoseconds]]
  var random: SeededGenerator
  var hostile = HostileState()
  var memory: MemoryAdmission
  /// Counts how often a VM came back; events of its former lives are void.
  var epochs: [Int]
  private var busyUntil: Nanoseconds = 0
  private var generation = 0
  private var armed: Nanoseconds?
  private var countedMisses: [Int64]
  /// The last refresh of a display that follows the commits.
  private var lastRefresh: (sequence: UInt64, time: Nanoseconds) = (0, .min / 2)

  init(
    _ workload: Workload, policy: SchedulingPolicy, seconds: Int, seed: UInt64,
    configuration: SchedulerConfiguration
  ) throws(SchedulerError) {
    self.workload = workload
    end = Int64(seconds) * 1_000_000_000
    let timing = try OutputTiming(refreshMillihertz: workload.refreshMillihertz)
    var constants = configuration
    constants.picosecondsPerByte = 1_000
    scheduler = try OutputScheduler(timing: timing, policy: policy, configuration: constants)
    guests = workload.guests.map(GuestState.init)
    recorder = Recorder(workload.guests, seconds: seconds)
    readyTimes = workload.guests.map { _ in [0] }
    epochs = workload.guests.map { _ in 0 }
    countedMisses = workload.guests.map { _ in 0 }
    random = SeededGenerator(seed: seed)
    memory = MemoryAdmission(capacityBytes: 1 << 30, overheadBytesPerVM: 1 << 20, selection: .agingBestFit, seed: seed)
    for position in guests.indices { try addVM(position) }
    scheduler.setVariableRefresh(workload.isVariable, at: 0)
    if policy == .exclusive {
      try scheduler.requestExclusive(VMID(0), at: 0, into: &decisions)
    }
  }

  mutating func addVM(_ position: Int, owner: UInt64? = nil) throws(SchedulerError) {
    let model = guests[position].model
    var configuration = model.configuration
    configuration.owner = owner ?? UInt64(position)
    try scheduler.addVM(Self.id(position), configuration, at: busyUntil)
  }

  static func id(_ position: Int) -> VMID { VMID(UInt32(position)) }

  /// Runs to the end and returns what each VM got.
  mutating func run(policyName: String) -> SimulationResult {
    for position in guests.indices {
      let model = guests[position].model
      events.add(.frame(position, epoch: epochs[position]), at: model.startsAt)
      if let hostility = model.hostility, let interval = HostileState.choreInterval(hostility) {
        events.add(.chore(position), at: model.startsAt + interval)
      }
    }
    while let (time, event) = events.removeFirst(), time < end {
      let now = max(time, busyUntil)
      handle(event, announcedAt: time, at: now)
      arm(at: max(now, busyUntil))
    }
    for position in guests.indices { countMisses(position) }
    return recorder.result(policy: policyName, workload: workload)
  }

  private mutating func handle(_ event: Event, announcedAt time: Nanoseconds, at now: Nanoseconds) {
    switch event {
    case .frame(let position, let epoch):
      guard epoch == epochs[position] else { return }
      makeFrame(position, readyAt: time, at: now)
    case .wake(let number):
      guard number == generation else { return }
      armed = nil
      recorder.wakes += 1
      scheduler.wake(at: now, into: &decisions)
      apply(at: now)
      afterWake(at: now)
    case .flip(let sequence, let vblank):
      scheduler.flipDone(sequence: sequence, timestamp: vblank, at: now, into: &decisions)
      for shown in decisions.shown {
        let position = Int(shown.vm.rawValue)
        recorder.shown(position, at: vblank, readyAt: readyTimes[position][Int(shown.frame.rawValue)])
      }
      apply(at: now)
    case .chore(let position):
      doChore(position, at: now)
    }
  }

  private mutating func makeFrame(_ position: Int, readyAt: Nanoseconds, at now: Nanoseconds) {
    guard now < guests[position].model.stopsAt, scheduler.statistics(of: Self.id(position)) != nil else { return }
    if let replayed = hostileAnnouncement(position, at: now) {
      if let next = replayed.next { events.add(.frame(position, epoch: epochs[position]), at: next) }
      return
    }
    guests[position].beginsBatch()
    let (frame, next) = guests[position].makeFrame(at: readyAt)
    readyTimes[position].append(readyAt)
    recorder.announced(position)
    let receipt = scheduler.frameReady(
      Self.id(position), frame: frame, byteCount: guests[position].model.frameNanoseconds, at: now, into: &decisions)
    apply(at: now)
    if case .throttled(let until) = receipt {
      // The daemon reads nothing more from this client before that.
      events.add(.frame(position, epoch: epochs[position]), at: max(until, next ?? until))
    } else if let next {
      events.add(.frame(position, epoch: epochs[position]), at: max(next, now))
    }
  }

  /// Does what the scheduler decided, as the daemon does.
  mutating func apply(at now: Nanoseconds) {
    var time = now
    for blit in decisions.blits {
      recorder.blitted(Int(blit.vm.rawValue), blit.nanoseconds, at: time)
      time += blit.nanoseconds
      scheduler.blitDone(blit, byteCount: blit.bytes.upperBound - blit.bytes.lowerBound, nanoseconds: blit.nanoseconds)
    }
    if !decisions.blits.isEmpty { scheduler.blitsDone(at: time) }
    let releasesAt = time
    if decisions.commits {
      let begun = time
      time += Self.commitNanoseconds
      time += takeRefusedPlanes(at: time)
      recorder.commits += 1
      scheduler.commitDone(begunAt: begun, at: time)
      scheduleFlip(committedAt: time)
    }
    busyUntil = max(busyUntil, time)
    for release in decisions.releases {
      let position = Int(release.vm.rawValue)
      if let next = guests[position].release(through: release.through, at: releasesAt) {
        events.add(.frame(position, epoch: epochs[position]), at: next)
      }
    }
  }

  /// The display driver refuses a plane (`failingPlane`): as in the daemon, its frame is copied and committed again at
  /// once. Returns what that takes.
  private mutating func takeRefusedPlanes(at time: Nanoseconds) -> Nanoseconds {
    var extra: Nanoseconds = 0
    for latch in decisions.latches where latch.path == .plane {
      let model = guests[Int(latch.vm.rawValue)].model
      guard model.hostility == .failingPlane else { continue }
      scheduler.setPath(.blit, of: latch.vm, at: time)
      scheduler.invalidate(repeatingFrames: false, at: time)
      extra += model.frameNanoseconds + Self.commitNanoseconds
    }
    return extra
  }

  private mutating func scheduleFlip(committedAt time: Nanoseconds) {
    let period = workload.truePeriodNanoseconds
    if scheduler.followsCommits {
      // What the display does by itself when no frame comes is not simulated.
      let refresh = max(time + Self.hardwareNanoseconds, lastRefresh.time + period)
      lastRefresh = (lastRefresh.sequence + 1, refresh)
      events.add(.flip(sequence: lastRefresh.sequence, time: refresh), at: refresh)
      return
    }
    let sequence = max(0, (time + Self.hardwareNanoseconds - Self.firstVblank + period - 1) / period)
    let vblank = Self.firstVblank + sequence * period
    let delay = workload.flipEventDelay > 0 ? Int64.random(in: 0...workload.flipEventDelay, using: &random) : 0
    events.add(.flip(sequence: UInt64(sequence), time: vblank), at: vblank + delay)
  }

  private mutating func arm(at now: Nanoseconds) {
    guard scheduler.nextWake != armed else { return }
    generation += 1
    armed = scheduler.nextWake
    guard let due = armed else { return }
    let jitter =
      due > now && workload.timerJitter > 0 ? Int64.random(in: 0...workload.timerJitter, using: &random) : 0
    events.add(.wake(generation: generation), at: max(due, now) + jitter)
  }

  /// Adds the misses that the scheduler counted for a VM since the last call (a VM that is removed starts anew).
  mutating func countMisses(_ position: Int) {
    let missed = scheduler.statistics(of: Self.id(position))?.missed ?? 0
    recorder.missed(position, count: Int(max(0, missed - countedMisses[position])))
    countedMisses[position] = missed
  }
}
