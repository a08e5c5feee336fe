import DaemonSettings
import FrameScheduler

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
