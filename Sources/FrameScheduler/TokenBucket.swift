/// Lets `rate` tokens a second through and `burst` at once; a lone bucket in whole nanoseconds (GCRA).
struct TokenBucket: Sendable {
  private let interval: Nanoseconds
  private let tolerance: Nanoseconds
  /// When the bucket would be full again.
  private var fullAt: Nanoseconds = .min / 2

  init(rate: Int64, burst: Int64) {
    interval = max(1, 1_000_000_000 / rate)
    tolerance = interval * (burst - 1)
  }

  /// Takes a token, or says from when there is one.
  mutating func take(at now: Nanoseconds) -> Nanoseconds? {
    let base = max(fullAt, now)
    guard base - now <= tolerance else { return base - tolerance }
    fullAt = base + interval
    return nil
  }
}
