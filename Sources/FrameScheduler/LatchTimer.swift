/// How long before a vblank to wake and to commit, learnt from what wake-ups, blits, commits and flips took.
///
/// A commit for vblank V is due at `V − commit − redZone`; the wake-up is earlier by the blits and by how late
/// timers fire. The red zone grows by 0.5 ms with each flip that missed its vblank, stays for 4096 flips, then sinks.
struct LatchTimer: Sendable {
  static let step: Nanoseconds = 500_000
  static let holdFlips = 4_096
  static let cleanFlips = 256

  private(set) var redZone: Nanoseconds
  private let minimum: Nanoseconds
  private let maximum: Nanoseconds
  private let period: Nanoseconds
  private var commit: RollingMaximum
  private var overrun = RollingMaximum(0)
  private var wakeLateness = WindowMaximum()
  private var flipsToHold = LatchTimer.cleanFlips

  init(configuration: SchedulerConfiguration, period: Nanoseconds) {
    minimum = min(configuration.minimumRedZoneNanoseconds, period / 8)
    maximum = max(minimum, min(configuration.maximumRedZoneNanoseconds, period / 4))
    redZone = min(max(configuration.redZoneNanoseconds, minimum), min(maximum, period / 8))
    commit = RollingMaximum(min(configuration.commitNanoseconds, period / 8))
    self.period = period
  }

  /// The largest lead that the timer can come to; service levels are admitted against it.
  static func worstLead(configuration: SchedulerConfiguration, period: Nanoseconds) -> Nanoseconds {
    min(configuration.maximumRedZoneNanoseconds, period / 4) + min(configuration.commitNanoseconds, period / 8)
  }

  var commitCost: Nanoseconds { min(commit.value, period / 4) }
  /// From the last moment for a commit to its vblank.
  var lead: Nanoseconds { commitCost + redZone }
  /// By how much the blits of one vblank took longer than planned, at most of late.
  var blitOverrun: Nanoseconds { overrun.value }
  /// How late timers fire, at most a third of the period.
  var timerLateness: Nanoseconds { min(wakeLateness.value, period / 3) }

  mutating func noteWake(lateness: Nanoseconds) {
    wakeLateness.add(max(0, lateness))
  }

  mutating func noteBlits(overrun nanoseconds: Nanoseconds) {
    overrun.add(min(max(0, nanoseconds), period / 4))
  }

  mutating func noteCommit(_ nanoseconds: Nanoseconds) {
    commit.add(min(max(0, nanoseconds), period / 4))
  }

  mutating func noteFlip(missedVblank: Bool) {
    if missedVblank {
      redZone = min(maximum, redZone + Self.step)
      flipsToHold = Self.holdFlips
      return
    }
    flipsToHold -= 1
    if flipsToHold <= 0 {
      redZone -= (redZone - minimum) / 16
      flipsToHold = 64
    }
  }
}
