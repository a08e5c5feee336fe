import DaemonSettings
import FrameScheduler
import LinuxIO

extension IdleLimits {
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
