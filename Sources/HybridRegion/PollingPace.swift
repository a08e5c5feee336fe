/// The interval at which a region is polled while its guest does not ring.
///
/// Short after a frame, then growing: a guest that draws is served within 2 ms. An idle one costs 30 checks per second;
/// a region without a guest, or with one that rings, costs one.
public struct PollingPace: Sendable {
  private static let shortest: UInt64 = 250_000
  private static let longest: UInt64 = 2_000_000
  private static let idle: UInt64 = 33_000_000
  private static let slow: UInt64 = 1_000_000_000
  private static let activeNanoseconds: UInt64 = 1_000_000_000

  private var interval = PollingPace.slow
  private var lastFrame: UInt64 = 0

  /// A pace before the first frame.
  public init() {}

  /// Nanoseconds until the next check.
  ///
  /// - Parameters:
  ///   - polls: whether a guest is attached that does not ring.
  ///   - found: whether the last check found a frame.
  ///   - now: CLOCK_MONOTONIC.
  public mutating func next(polls: Bool, found: Bool, now: UInt64) -> UInt64 {
    guard polls else {
      interval = PollingPace.slow
      return interval
    }
    if found {
      lastFrame = now
      interval = PollingPace.shortest
    } else if now &- lastFrame > PollingPace.activeNanoseconds {
      interval = min(max(interval, PollingPace.longest) * 2, PollingPace.idle)
    } else {
      interval = min(interval * 2, PollingPace.longest)
    }
    return interval
  }
}
