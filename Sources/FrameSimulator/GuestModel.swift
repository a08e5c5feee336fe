public import FrameScheduler

/// How a simulated VM makes frames.
public enum Pacing: Hashable, Sendable, Codable {
  /// A frame every `interval`, whether or not fences come back. With less than the refresh period: always backlogged.
  case openLoop(interval: Nanoseconds)
  /// Waits for a fence, draws for `draw`, announces; `outstanding` frames at most have no fence.
  case closedLoop(draw: Nanoseconds, outstanding: Int)
  /// `count` frames at once, then `wait` after the last fence (the clients of the kernel's drm_sched kunit tests).
  case jobs(count: Int, wait: Nanoseconds)
  /// `count` frames `interval` apart, then silence for `pause`.
  case bursts(count: Int, interval: Nanoseconds, pause: Nanoseconds)
}

/// The fault of a simulated VM.
public enum Hostility: String, Hashable, Sendable, Codable, CaseIterable {
  /// 100 000 flushes a second.
  case flushFlood
  /// An 8K source in a small tile.
  case hugeSource
  /// Sizes out of bounds.
  case wrongSizes
  /// Is removed and added all the time, each time with another owner.
  case churn
  /// Pushes against the memory limit; in the simulator it fills `MemoryAdmission` and frames need memory first.
  case memoryPush
  /// Is reconfigured a thousand times a second.
  case configurationStorm
  /// A flood of frames without bytes.
  case cursorFlood
  /// Its plane fails in every commit, and it is given a plane again each second. The frame is then copied in the same
  /// commit, which comes that much later.
  case failingPlane
  /// Ready one microsecond after each decision.
  case justTooLate
  /// Sleeps, then a burst.
  case sleepBurst
  /// Is removed in the middle of commits.
  case diesInCommit
  /// Frames cost sixteen times what was declared.
  case costLies
  /// Is removed and added again to lose its debt.
  case debtReset
  /// Old frame numbers again and again.
  case replay
}

/// One simulated VM.
public struct GuestModel: Hashable, Sendable {
  /// The name in tables.
  public var name: String
  /// How it makes frames.
  public var pacing: Pacing
  /// The blit time of a frame; 0 with `.plane`.
  public var frameNanoseconds: Nanoseconds
  /// How it is scheduled.
  public var configuration: VMConfiguration
  /// When the first frame is made.
  public var startsAt: Nanoseconds = 0
  /// When it stops.
  public var stopsAt: Nanoseconds = .max
  /// Its fault, if any.
  public var hostility: Hostility?

  /// Describes a well-behaved VM whose frames are copied.
  public init(
    _ name: String, _ pacing: Pacing, frameNanoseconds: Nanoseconds, weight: Int64 = 100,
    serviceLevel: ServiceLevel? = nil
  ) {
    self.name = name
    self.pacing = pacing
    self.frameNanoseconds = frameNanoseconds
    configuration = VMConfiguration(owner: 0)
    configuration.path = frameNanoseconds > 0 ? .blit : .plane
    configuration.weight = weight
    configuration.serviceLevel = serviceLevel
  }

  /// The frame rate that it asks for, in millihertz, if it sets one itself.
  public var wantedMillihertz: Int64? {
    if case .openLoop(let interval) = pacing { return 1_000_000_000_000 / interval }
    return nil
  }
}
