/// The refreshes of a display with a variable rate, as a panel and its driver behave.
///
/// A frame is shown at once, but no sooner than the fastest period after the last refresh. Without a frame the display
/// refreshes itself each time that the slowest period has passed, and is busy with that for a fastest period.
public struct VariableVblanks: Equatable, Sendable {
  /// The shortest time between two refreshes, in nanoseconds.
  public let fastestNanoseconds: UInt64
  /// The longest time between two refreshes, in nanoseconds.
  public let slowestNanoseconds: UInt64
  /// CLOCK_MONOTONIC nanoseconds of the last refresh that a frame caused.
  public private(set) var timeNanoseconds: UInt64
  /// The number of that refresh; refreshes without a frame are counted too.
  public private(set) var sequence: UInt64

  /// A display with those rates in frames per 1000 seconds and that last refresh.
  public init(slowestMillihertz: UInt64, fastestMillihertz: UInt64, timeNanoseconds: UInt64, sequence: UInt64) {
    fastestNanoseconds = 1_000_000_000_000 / max(fastestMillihertz, 1)
    slowestNanoseconds = max(1_000_000_000_000 / max(slowestMillihertz, 1), fastestNanoseconds)
    self.timeNanoseconds = timeNanoseconds
    self.sequence = sequence
  }

  /// Time and number of the refresh that shows a frame committed at `nanoseconds`.
  public func next(after nanoseconds: UInt64) -> (timeNanoseconds: UInt64, sequence: UInt64) {
    let elapsed = nanoseconds > timeNanoseconds ? nanoseconds - timeNanoseconds : 0
    let repeats = elapsed / slowestNanoseconds
    let free = timeNanoseconds + repeats * slowestNanoseconds + fastestNanoseconds
    return (max(nanoseconds, free), sequence + repeats + 1)
  }

  /// Records that a frame was shown.
  public mutating func shown(timeNanoseconds: UInt64, sequence: UInt64) {
    self.timeNanoseconds = timeNanoseconds
    self.sequence = sequence
  }
}
