/// Logs refused frames without flooding the log: the first at once, then one line every ten seconds.
public struct RefusalLog: Sendable {
  private var count: UInt64 = 0
  private var quietUntil: UInt64 = 0

  /// A log without refusals.
  public init() {}

  /// Counts a refusal at `now` of CLOCK_MONOTONIC, and writes a line if one is due.
  public mutating func add(_ reason: RegionReason, now: UInt64, _ write: (String) -> Void) {
    count += 1
    guard now >= quietUntil else { return }
    write(count == 1 ? "a frame was refused: \(reason)" : "\(count) frames were refused; the last: \(reason)")
    count = 0
    quietUntil = now + 10_000_000_000
  }
}
