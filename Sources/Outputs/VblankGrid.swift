/// The vblanks of a mode as points of an absolute time grid.
///
/// Vblank n lies exactly at `epoch + n × 10¹² / refresh in millihertz` nanoseconds, so that a rate such as 60 Hz, whose
/// period is not a whole number of nanoseconds, does not drift. Vblanks of idle times are counted.
public struct VblankGrid: Equatable, Sendable {
  /// CLOCK_MONOTONIC nanoseconds of vblank `firstSequence`.
  public let epochNanoseconds: UInt64
  /// The number of the vblank at the epoch.
  public let firstSequence: UInt64
  /// Frames per 1000 seconds, at least 1.
  public let refreshMillihertz: UInt64

  /// A grid through that point.
  public init(epochNanoseconds: UInt64, firstSequence: UInt64, refreshMillihertz: UInt64) {
    self.epochNanoseconds = epochNanoseconds
    self.firstSequence = firstSequence
    self.refreshMillihertz = max(refreshMillihertz, 1)
  }

  private static let nanosecondsPerMillihertz: UInt64 = 1_000_000_000_000

  /// The last vblank at or before `nanoseconds`; the first one for a time before the epoch.
  public func sequence(at nanoseconds: UInt64) -> UInt64 {
    if nanoseconds <= epochNanoseconds { return firstSequence }
    let wide = (nanoseconds - epochNanoseconds).multipliedFullWidth(by: refreshMillihertz)
    // The quotient overflows after 584 years at 1 GHz.
    let periods = Self.nanosecondsPerMillihertz.dividingFullWidth(wide).quotient
    // The stored time is rounded down, so an equal time may lie a fraction before the vblank.
    let next = firstSequence + periods + 1
    return time(of: next) <= nanoseconds ? next : next - 1
  }

  /// The time of a vblank in nanoseconds, rounded down; the epoch for one before `firstSequence`.
  public func time(of sequence: UInt64) -> UInt64 {
    if sequence <= firstSequence { return epochNanoseconds }
    let wide = (sequence - firstSequence).multipliedFullWidth(by: Self.nanosecondsPerMillihertz)
    return epochNanoseconds + refreshMillihertz.dividingFullWidth(wide).quotient
  }

  /// The grid with another rate from the last vblank before `nanoseconds` on; numbers keep rising.
  public func changed(toMillihertz millihertz: UInt64, at nanoseconds: UInt64) -> VblankGrid {
    let current = sequence(at: nanoseconds)
    return VblankGrid(
      epochNanoseconds: time(of: current), firstSequence: current, refreshMillihertz: millihertz)
  }
}
