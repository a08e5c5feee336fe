import StatusModel

/// How long something took: percentiles from buckets of an eighth of a power of two, right within 9 %, and exact counts
/// for the bounds that the status gives.
struct LatencyHistogram {
  private static let stepsPerOctave: UInt64 = 8
  /// Up to 2³⁶ ns, which is more than a minute; what takes longer counts in the last bucket.
  private static let bucketCount = 33 * Int(stepsPerOctave)

  private var buckets = ContiguousArray(repeating: UInt32(0), count: bucketCount)
  /// Times above the bound before and at most the bound of the same index; those above all bounds are in none.
  private var betweenBounds = ContiguousArray(
    repeating: UInt64(0), count: DaemonStatus.Scanout.latchBoundsNanoseconds.count)
  /// How many times were added.
  private(set) var count: UInt64 = 0
  /// The sum of the times that were added.
  private(set) var sumNanoseconds: UInt64 = 0

  /// Counts one time.
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

  /// For each of `DaemonStatus.Scanout.latchBoundsNanoseconds`, how many times were at most that.
  var cumulativeCounts: [UInt64] {
    var sum: UInt64 = 0
    return betweenBounds.map { count in
      sum &+= count
      return sum
    }
  }

  /// The time that `percent` of all stay below or at, as the middle of its bucket; 0 where nothing was counted.
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
