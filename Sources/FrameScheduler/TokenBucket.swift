/// A token bucket of `rate` tokens a second with bursts of `burst`, in whole nanoseconds (GCRA).
struct TokenBucket: Sendable {
  private let interval: Nanoseconds
  private let tolerance: Nanoseconds
  /// The time at which the bucket would be full again.
  private var fullAt: Nanoseconds = .min / 2

  init(rate: Int64, burst: Int64) {
    interval = max(1, 1_000_000_000 / rate)
    tolerance = interval * (burst - 1)
  }

  /// Takes a token, or returns the time at which there is one.
  mutating func take(at now: Nanoseconds) -> Nanoseconds? {
    let base = max(fullAt, now)
    guard base - now <= tolerance else { return base - tolerance }
    fullAt = base + interval
    return nil
  }
}
