/// How many frames a client may present while there are others: 2000 a second on average, 200 at once.
struct FramePace {
  private static let framesPerSecond: UInt64 = 2_000
  private static let burst: UInt64 = 200
  /// A pause is worth so many frames: a wake-up for each would cost more than it saves.
  private static let pauseFrames: UInt64 = 20

  /// In nanoseconds of the average rate.
  private var credit = burst * nanosecondsPerFrame
  private var last: UInt64 = 0
  private static let nanosecondsPerFrame: UInt64 = 1_000_000_000 / framesPerSecond

  /// Counts a frame; the time until which nothing more is to be read from the client, or nil.
  mutating func pause(at now: UInt64) -> UInt64? {
    let elapsed = min(now > last ? now - last : 0, FramePace.burst * FramePace.nanosecondsPerFrame)
    last = now
    credit = min(credit + elapsed, FramePace.burst * FramePace.nanosecondsPerFrame)
    if credit >= FramePace.nanosecondsPerFrame {
      credit -= FramePace.nanosecondsPerFrame
      return nil
    }
    return now + FramePace.pauseFrames * FramePace.nanosecondsPerFrame
  }
}
