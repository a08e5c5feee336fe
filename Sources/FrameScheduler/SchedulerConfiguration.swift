/// The timing of one output's mode.
public struct OutputTiming: Hashable, Sendable {
  /// The refresh rate in millihertz, 1 000 to 1 000 000.
  public let refreshMillihertz: Int64

  /// The nominal time between two vblanks, rounded to nanoseconds.
  public var periodNanoseconds: Nanoseconds {
    (1_000_000_000_000 + refreshMillihertz / 2) / refreshMillihertz
  }

  /// Describes a mode. Throws `SchedulerError.outOfRange` below 1 Hz and above 1 kHz.
  public init(refreshMillihertz: Int64) throws(SchedulerError) {
    try SchedulerConfiguration.check(.refreshMillihertz, refreshMillihertz, 1_000...1_000_000)
    self.refreshMillihertz = refreshMillihertz
  }
}

/// The constants of one output's scheduler; Docs/Scheduler.md says what they mean.
public struct SchedulerConfiguration: Hashable, Sendable {
  /// How many VMs the output can have; storage for them is reserved when the scheduler is made.
  public var maximumVMCount: Int64 = 64
  /// The time that the blit engine (or the CPU) takes for one byte, in picoseconds; calibrated by the caller.
  public var picosecondsPerByte: Int64 = 100
  /// A blit is cut into bands of at most this length, so that nobody waits for more than one band.
  public var bandNanoseconds: Nanoseconds = 250_000
  /// One call of `wake` orders at most this much blit time, so that the caller sees its events in between.
  public var sliceNanoseconds: Nanoseconds = 2_000_000
  /// What a flip without a blit is charged in virtual time, so that planes are not free.
  public var flipNanoseconds: Nanoseconds = 20_000
  /// The first guess of how long an atomic commit takes; then it is learnt from `commitDone(at:)`.
  public var commitNanoseconds: Nanoseconds = 300_000
  /// The red zone's start value, the safety margin before a vblank.
  public var redZoneNanoseconds: Nanoseconds = 1_650_000
  /// The least that the adaptive red zone shrinks to.
  public var minimumRedZoneNanoseconds: Nanoseconds = 300_000
  /// The most that the adaptive red zone grows to; a quarter of the period bounds it too.
  public var maximumRedZoneNanoseconds: Nanoseconds = 3_000_000
  /// No fence is held longer than this.
  public var releaseTimeoutNanoseconds: Nanoseconds = 1_000_000_000
  /// The rate at which VMs that are not seen are paced unless their configuration says otherwise, in millihertz.
  public var backgroundMillihertz: Int64 = 2_000
  /// Frames per second that a VM may announce on average; further ones are throttled.
  public var commandRate: Int64 = 2_000
  /// Frames that a VM may announce at once.
  public var commandBurst: Int64 = 200
  /// The part of the blit time that service levels can be promised from, in thousandths.
  public var utilisationLimitPermille: Int64 = 850
  /// Whether a sole VM's frame is committed as soon as no flip is pending, instead of late before the next vblank once
  /// the last one had a commit.
  public var commitsSoleFramesAtOnce = false
  /// Whether `releases` tell of frames that can come on screen; else the caller signals their fences by `shown` and
  /// `discarded`, and only those of unseen VMs are paced.
  public var releasesSeenFrames = true
  /// In `hybrid`, a VM that has waited half of this goes before the weighted share.
  public var starvationNanoseconds: Nanoseconds = 1_000_000_000

  /// The defaults.
  public init() {}

  /// Throws `SchedulerError.outOfRange` for the first number that is outside its range.
  public func validate() throws(SchedulerError) {
    let second: Int64 = 1_000_000_000
    try Self.check(.maximumVMCount, maximumVMCount, 1...64)
    try Self.check(.picosecondsPerByte, picosecondsPerByte, 1...100_000)
    try Self.check(.bandNanoseconds, bandNanoseconds, 1_000...10_000_000)
    try Self.check(.bandNanoseconds, sliceNanoseconds, bandNanoseconds...1_000_000_000)
    try Self.check(.commitNanoseconds, flipNanoseconds, 0...10_000_000)
    try Self.check(.commitNanoseconds, commitNanoseconds, 0...10_000_000)
    try Self.check(.redZoneNanoseconds, minimumRedZoneNanoseconds, 0...10_000_000)
    try Self.check(.redZoneNanoseconds, maximumRedZoneNanoseconds, minimumRedZoneNanoseconds...10_000_000)
    try Self.check(
      .redZoneNanoseconds, redZoneNanoseconds, minimumRedZoneNanoseconds...maximumRedZoneNanoseconds)
    try Self.check(.timeout, releaseTimeoutNanoseconds, 1_000_000...(60 * second))
    try Self.check(.timeout, starvationNanoseconds, 1_000_000...(60 * second))
    try Self.check(.backgroundMillihertz, backgroundMillihertz, 1_000...1_000_000)
    try Self.check(.utilisationLimit, utilisationLimitPermille, 1...950)
    try Self.check(.commandRate, commandRate, 1...1_000_000)
    try Self.check(.commandBurst, commandBurst, 1...100_000)
  }

  static func check(
    _ field: ConfigurationField, _ value: Int64, _ range: ClosedRange<Int64>
  ) throws(SchedulerError) {
    guard range.contains(value) else { throw .outOfRange(field, given: value, allowed: range) }
  }
}
