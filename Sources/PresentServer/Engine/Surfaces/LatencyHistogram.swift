import StatusModel

/// A histogram of durations: percentiles within 9 %, from buckets of an eighth of a power of two, and exact counts for
/// the bounds of the status.
struct LatencyHistogram {
  private static let stepsPerOctave: UInt64 = 8
  /// Up to 2³⁶ ns, more than a minute; the last bucket also counts longer durations.
  private static let bucketCount = 33 * Int(stepsPerOctave)

  private var buckets = ContiguousArray(repeating: UInt32(0), count: bucketCount)
  /// Counts of times above the previous bound, up to the bound of the same index; without times above all bounds.
  private var betweenBounds = ContiguousArray(
    repeating: UInt64(0), count: DaemonStatus.Scanout.latchBoundsNanoseconds.count)
  /// The number of durations.
  private(set) var count: UInt64 = 0
  /// The sum of all durations.
  private(set) var sumNanoseconds: UInt64 = 0

  /// Adds a duration.
  mutating func add(_ nanoseconds: UInt64) {
    let index = min(LatencyHistogram.bucket(of: nanoseconds), LatencyHistogram.bucketCount - 1)
    buckets[index] &+= 1
    count += 1
    sumNanoseconds &+= nanoseconds
    for (index, bound) in DaemonStatus.Scanout.latchBoundsNanoseconds.enumerated() where nanoseconds <= bound {
      betweenBounds[index] &+= 1
      return
    }
  }

  /// For each of `DaemonStatus.Scanout.latchBoundsNanoseconds`, the number of durations up to it.
  var cumulativeCounts: [UInt64] {
    var sum: UInt64 = 0
    return betweenBounds.map { count in
      sum &+= count
      return sum
    }
  }

  /// The percentile, as the middle of its bucket; 0 without durations.
  func percentile(_ percent: Double) -> UInt64 {
    if count == 0 { return 0 }
    let wanted = max(UInt64((Double(count) * percent / 100).rounded(.up)), 1)
    var seen: UInt64 = 0
    for (index, entries) in buckets.enumerated() {
      seen += UInt64(entries)
      if seen >= wanted { return LatencyHistogram.middle(of: index) }
    }
    return 0
  }

  /// Below 16 ns each value has a bucket; above, the three bits after the leading one choose it.
  private static func bucket(of value: UInt64) -> Int {
    if value < 2 * stepsPerOctave { return Int(value) }
    let shift = UInt64(value.bitWidth - 4 - value.leadingZeroBitCount)
    return Int(shift * stepsPerOctave + (value >> shift))
  }

  private static func middle(of index: Int) -> UInt64 {
    let position = UInt64(index)
    if position < 2 * stepsPerOctave { return position }
    let shift = position / stepsPerOctave - 1
    return (position - shift * stepsPerOctave) << shift + (1 << shift) / 2
  }
}
