/// A maximum that rises at once and falls by 2 % per sample, but not below the last 16 (as in gamescope and mutter).
struct RollingMaximum: Sendable {
  private(set) var value: Int64
  private var recent: InlineArray<16, Int64>
  private var next = 0

  init(_ value: Int64) {
    self.value = value
    recent = InlineArray(repeating: 0)
  }

  mutating func add(_ sample: Int64) {
    recent[next] = sample
    next = (next + 1) & 15
    var highest = value - (value + 49) / 50
    for position in recent.indices { highest = max(highest, recent[position]) }
    value = highest
  }
}

/// The maximum of the last 256 to 512 samples.
struct WindowMaximum: Sendable {
  static let bucketLength = 256

  private var current: Int64 = 0
  private var previous: Int64 = 0
  private var count = 0

  var value: Int64 { max(current, previous) }

  mutating func add(_ sample: Int64) {
    current = max(current, sample)
    count += 1
    if count == Self.bucketLength {
      previous = current
      current = 0
      count = 0
    }
  }
}
