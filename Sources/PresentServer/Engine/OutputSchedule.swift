import FrameScheduler
import LinuxIO
import Outputs
import Scanout

/// An output's scheduler with its clock and its timer: the only caller of the scheduler.
///
/// Events go in by `decide`, which returns what the scheduler has decided; the compiler rejects a call that ignores it.
struct OutputSchedule {
  /// The scheduler, to look at.
  private(set) var state: OutputScheduler
  private let clock: PresentClock
  /// Fires when the next work is due; may fire early.
  private var timer: PresentTimer?
  /// The storage of decisions that are carried out.
  private var storage: FrameDecisions? = FrameDecisions()

  init(_ mode: DisplayMode, _ clock: PresentClock) {
    self.clock = clock
    state = OutputSchedule.makeScheduler(for: mode)
  }

  /// Has `fired` called when the next work is due.
  mutating func start(on loop: EventLoop, fired: @escaping () -> Void) throws(SystemError) {
    timer = try clock.timer(on: loop, fired: fired)
  }

  private var now: Nanoseconds { Nanoseconds(truncatingIfNeeded: clock.nowNanoseconds) }

  /// Passes an event to the scheduler with the time, and returns its decisions. Give them back by `recycle`.
  mutating func decide<Failure>(
    _ event: (inout OutputScheduler, Nanoseconds, inout FrameDecisions) throws(Failure) -> Void
  ) throws(Failure) -> FrameDecisions {
    // A call from within an unfinished one allocates; there is none on a frame's path.
    var decisions = storage.take() ?? FrameDecisions()
    try event(&state, now, &decisions)
    return decisions
  }

  /// Takes back the storage of decisions that are carried out.
  mutating func recycle(_ decisions: consuming FrameDecisions) { storage = decisions }

  /// Passes an event that decides nothing by itself: it may only change when the scheduler wants to be woken.
  mutating func update<Result, Failure>(
    _ event: (inout OutputScheduler, Nanoseconds) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try event(&state, now)
  }

  /// Arms the timer; `nil` for at once, after other events of the loop.
  func arm(_ deadline: Nanoseconds?) { timer?.arm(deadline.map { UInt64(clamping: $0) } ?? clock.nowNanoseconds) }

  /// Frees the timer.
  mutating func close() { timer = nil }

  // MARK: - Configuration

  /// The assumed copy time per byte until it is measured, in picoseconds: 4 GB/s.
  static let picosecondsPerByte: Int64 = 250

  static func makeScheduler(for mode: DisplayMode) -> OutputScheduler {
    var configuration = SchedulerConfiguration()
    configuration.picosecondsPerByte = picosecondsPerByte
    configuration.commitsSoleFramesAtOnce = true
    configuration.releasesSeenFrames = false
    // Clients are rate-limited where their messages are read.
    configuration.commandRate = 1_000_000
    configuration.commandBurst = 100_000
    do {
      return try OutputScheduler(timing: timing(of: mode), policy: .hybrid, configuration: configuration)
    } catch {
      preconditionFailure("the scheduler refuses its configuration: \(error)")
    }
  }

  static func timing(of mode: DisplayMode) -> OutputTiming {
    let rate = min(max(Int64(mode.refreshMillihertz), 1_000), 1_000_000)
    do { return try OutputTiming(refreshMillihertz: rate) } catch { preconditionFailure("\(error)") }
  }
}
