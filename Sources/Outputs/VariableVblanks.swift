/// The refreshes of a display with a variable rate, as a panel and its driver behave.
///
/// A frame is shown at once, but no sooner than the fastest period after the last refresh. Without a frame the display
/// refreshes itself each time that the slowest period has passed, and is busy with that for a fastest period.
public struct VariableVblanks: Equatable, Sendable {
  /// Between two refreshes at least, in nanoseconds.
  public let fastestNanoseconds: UInt64
  /// Between two refreshes at most, in nanoseconds.
  public let slowestNanoseconds: UInt64
  /// The time of the last refresh that a frame caused, in nanoseconds of CLOCK_MONOTONIC.
  public private(set) var timeNanoseconds: UInt64
  /// Its number; refreshes without a frame count too.
  public private(set) var sequence: UInt64

  /// A display of those rates in frames per 1000 seconds, whose last refresh was then.
  public init(slowestMillihertz: UInt64, fastestMillihertz: UInt64, timeNanoseconds: UInt64, sequence: UInt64) {
    fastestNanoseconds = 1_000_000_000_000 / max(fastestMillihertz, 1)
    slowestNanoseconds = max(1_000_000_000_000 / max(slowestMillihertz, 1), fastestNanoseconds)
    self.timeNanoseconds = timeNanoseconds
    self.sequence = sequence
  }

  /// When a frame that is committed at that time is shown, and as which refresh.
  public func next(after nanoseconds: UInt64) -> (timeNanoseconds: UInt64, sequence: UInt64) {
    let elapsed = nanoseconds > timeNanoseconds ? nanoseconds - timeNanoseconds : 0
    let repeats = elapsed / slowestNanoseconds
    let free = timeNanoseconds + repeats * slowestNanoseconds + fastestNanoseconds
    return (max(nanoseconds, free), sequence + repeats + 1)
  }

  /// A frame was shown.
  public mutating func shown(timeNanoseconds: UInt64, sequence: UInt64) {
    self.timeNanoseconds = timeNanoseconds
    self.sequence = sequence
  }
}
