import DaemonSettings
import FrameScheduler

extension IdleLimits {
  /// The power state after this time without a change.
  func power(afterIdle nanoseconds: Nanoseconds) -> OutputPower {
    if let offSeconds, nanoseconds >= offSeconds * 1_000_000_000 { return .off }
    if let blankSeconds, nanoseconds >= blankSeconds * 1_000_000_000 { return .blank }
    return .on
  }

  /// The idle time of the next step; nil if there is none.
  func nextStep(afterIdle nanoseconds: Nanoseconds) -> Nanoseconds? {
    [blankSeconds, offSeconds].compactMap { $0.map { $0 * 1_000_000_000 } }.filter { $0 > nanoseconds }.min()
  }
}
