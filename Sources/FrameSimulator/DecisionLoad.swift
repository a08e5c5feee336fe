public import FrameScheduler

/// One output with many VMs at work, to measure the cost of decisions: a third of them on planes, a
/// quarter with a promise, all weights different.
///
/// In every vblank each VM announces a frame, then a newer one that takes its place; the newer ones are all served and
/// shown. Nothing here allocates once it is made.
public struct DecisionLoad: Sendable {
  /// Nanoseconds that the scheduler's calls took in one vblank, by a clock of the caller's.
  public struct Times: Sendable {
    /// The longest `wake`: the decision itself, with every VM's frame.
    public var longestWake: UInt64 = 0
    /// The flip of every VM's frame.
    public var flip: UInt64 = 0
    /// All announcements together.
    public var frames: UInt64 = 0
    /// How many announcements there were.
    public var frameCount: UInt64 = 0
  }

  private var scheduler: OutputScheduler
  private var decisions = FrameDecisions()
  private var frame: UInt64 = 0
  private var time: Nanoseconds = 0
  private let vmCount: UInt32
  private let period: Nanoseconds

  /// So many VMs at 60 Hz; a byte takes a nanosecond.
  ///
  /// - Throws: `SchedulerError` where there are more than 64.
  public init(policy: SchedulingPolicy, vmCount: UInt32 = 64) throws(SchedulerError) {
    self.vmCount = vmCount
    var configuration = SchedulerConfiguration()
    configuration.picosecondsPerByte = 1_000
    let timing = try OutputTiming(refreshMillihertz: 60_000)
    scheduler = try OutputScheduler(timing: timing, policy: policy, configuration: configuration)
    period = timing.periodNanoseconds
    for vm in 0..<vmCount {
      var settings = VMConfiguration(owner: UInt64(vm))
      settings.weight = Int64(vm) + 1
      settings.path = vm % 3 == 0 ? .plane : .blit
      if vm % 4 == 1 { settings.serviceLevel = ServiceLevel(rateMillihertz: 30_000, frameNanoseconds: 50_000) }
      try scheduler.addVM(VMID(vm), settings, at: 0)
    }
    if vmCount > 3 { try scheduler.requestExclusive(VMID(3), at: 0, into: &decisions) }
  }

  /// Plays a vblank.
  ///
  /// - Parameters:
  ///   - cost: bytes of each frame.
  ///   - clock: nanoseconds of a clock that runs.
  public mutating func playVblank(cost: Int64, clock: () -> UInt64) -> Times {
    var times = Times()
    frame += 2
    var begun = clock()
    // Unoptimised, some iterators allocate.
    var number: UInt32 = 0
    while number < vmCount {
      let vm = VMID(number)
      number += 1
      _ = scheduler.frameReady(vm, frame: FrameID(frame), byteCount: cost, at: time, into: &decisions)
      _ = scheduler.frameReady(vm, frame: FrameID(frame + 1), byteCount: cost, at: time, into: &decisions)
    }
    times.frames = clock() - begun
    times.frameCount = 2 * UInt64(vmCount)
    let vblank = (time / period + 1) * period
    while let wake = scheduler.nextWake, wake < vblank {
      time = max(time, wake)
      begun = clock()
      scheduler.wake(at: time, into: &decisions)
      times.longestWake = max(times.longestWake, clock() - begun)
      for place in decisions.blits.indices { time += decisions.blits[place].nanoseconds }
      if decisions.commits {
        scheduler.commitDone(begunAt: time, at: time + 100_000)
        time += 100_000
      }
    }
    time = max(time, vblank)
    begun = clock()
    scheduler.flipDone(sequence: UInt64(vblank / period), timestamp: vblank, at: time, into: &decisions)
    times.flip = clock() - begun
    return times
  }
}
