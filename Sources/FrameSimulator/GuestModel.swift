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

/// What is wrong with a simulated VM (H1 to H15 of sched.md §3.3).
public enum Hostility: String, Hashable, Sendable, Codable, CaseIterable {
  /// H1: 100 000 flushes a second.
  case flushFlood
  /// H2: the fences of its frames never signal.
  case neverReady
  /// H3: an 8K source in a small tile.
  case hugeSource
  /// H4: sizes out of bounds.
  case wrongSizes
  /// H5: comes and goes all the time, each time as another owner.
  case churn
  /// H6: pushes against the memory limit; in the simulator it fills `MemoryAdmission` and frames need memory first.
  case memoryPush
  /// H7: is configured anew a thousand times a second.
  case configurationStorm
  /// H8: a flood of frames without bytes.
  case cursorFlood
  /// H9: its plane fails in every commit, and it is given a plane again each second.
  case failingPlane
  /// H10: ready one microsecond after each decision.
  case justTooLate
  /// H11: sleeps, then a burst.
  case sleepBurst
  /// H12: is removed in the middle of commits.
  case diesInCommit
  /// H13: frames cost sixteen times what was declared.
  case costLies
  /// H14: is removed and added again to lose its debt.
  case debtReset
  /// H15: old frame numbers again and again.
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
  /// What is wrong with it, if anything.
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
