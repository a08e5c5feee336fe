import FrameScheduler
import LinuxIO

/// What an output's hardware does, from most to least.
enum OutputPower: String, CaseIterable, Comparable {
  /// Shows its VMs.
  case on
  /// Shows black; the pipeline runs.
  case blank
  /// CRTC and monitor are off.
  case off

  static func < (left: OutputPower, right: OutputPower) -> Bool { left.rank < right.rank }

  private var rank: Int { OutputPower.allCases.firstIndex(of: self) ?? 0 }
}

/// After how many seconds without a change of what it shows an output goes dark; nil: never.
struct IdleLimits: Equatable {
  var blankSeconds: Int64?
  var offSeconds: Int64?

  /// What a text says of them; 0 is never.
  struct Change {
    var power: OutputPower?
    var blankSeconds: Int64?
    var offSeconds: Int64?
  }

  mutating func take(_ change: Change) {
    if let seconds = change.blankSeconds { blankSeconds = seconds == 0 ? nil : seconds }
    if let seconds = change.offSeconds { offSeconds = seconds == 0 ? nil : seconds }
  }

  var isNever: Bool { blankSeconds == nil && offSeconds == nil }

  /// What an output is after so long without a change.
  func power(afterIdle nanoseconds: Nanoseconds) -> OutputPower {
    if let offSeconds, nanoseconds >= offSeconds * 1_000_000_000 { return .off }
    if let blankSeconds, nanoseconds >= blankSeconds * 1_000_000_000 { return .blank }
    return .on
  }

  /// How long an output must have been idle for the next step; nil where none follows.
  func nextStep(afterIdle nanoseconds: Nanoseconds) -> Nanoseconds? {
    [blankSeconds, offSeconds].compactMap { $0.map { $0 * 1_000_000_000 } }.filter { $0 > nanoseconds }.min()
  }
}

/// Fires when an output may have been idle for long enough: not once for every change.
final class IdleTimer {
  private let timer: TimerFD
  private let loop: EventLoop
  private var source: EventLoop.Source?

  init(_ loop: EventLoop, _ fired: @escaping () -> Void) throws(SystemError) {
    self.loop = loop
    timer = try TimerFD()
    // By its edge: an expiry need not be read.
    source = try loop.add(timer.fd.raw, [.readable, .edge]) { _ in fired() }
  }

  deinit { if let source { loop.remove(source) } }

  func arm(_ deadline: Nanoseconds) { timer.arm(deadlineNanoseconds: UInt64(clamping: deadline)) }
}
