/// The same figure of several runs.
public struct Spread: Codable, Equatable, Sendable {
  /// The smallest.
  public var min: Double
  /// The median; for an even number of runs, the mean of the middle two.
  public var median: Double
  /// The largest.
  public var max: Double

  /// The spread of these figures; all zero if there are none.
  public init(_ figures: [Double]) {
    let sorted = figures.sorted()
    guard let first = sorted.first, let last = sorted.last else {
      (min, median, max) = (0, 0, 0)
      return
    }
    let middle = sorted.count / 2
    min = first
    max = last
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// Percentiles of durations.
public struct Percentiles: Codable, Equatable, Sendable {
  /// The number of durations.
  public var count: Int
  /// The median in nanoseconds.
  public var median: UInt64
  /// The 90th percentile in nanoseconds.
  public var p90: UInt64
  /// The 99th percentile in nanoseconds.
  public var p99: UInt64
  /// The longest.
  public var max: UInt64

  /// The percentiles of these nanoseconds; all zero if there are none.
  public init(_ nanoseconds: [UInt64]) {
    let sorted = nanoseconds.sorted()
    count = sorted.count
    let at = { (percent: Int) -> UInt64 in
      sorted.isEmpty ? 0 : sorted[Swift.max((sorted.count * percent + 99) / 100, 1) - 1]
    }
    median = at(50)
    p90 = at(90)
    p99 = at(99)
    max = sorted.last ?? 0
  }
}
