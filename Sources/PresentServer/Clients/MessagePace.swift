import DaemonSettings

/// A rate limit for one kind of message while there are other clients: a burst, and a number per second.
struct MessagePace {
  /// 2000 frames a second on average, 200 at once. A pause lasts for 20 frames, because a wake-up for each would cost
  /// more than it saves.
  static let frames = MessagePace(perSecond: 2000, burst: 200, perPause: 20)
  /// 256 imports a second on average, 64 at once: four per vblank at 60 Hz. A guest with a new buffer for every frame
  /// is not limited, but a flood of pages to pin is. A pause of 8 ends long before the client's request times out.
  static let imports = MessagePace(perSecond: 256, burst: 64, perPause: 8)

  /// 4000 connections a second on average, 512 at once. Further ones wait in the kernel's queue of 1024, for a quarter of
  /// a second at most; to accept and refuse them as fast as they come would take a processor.
  static let connections = MessagePace(perSecond: 4000, burst: 512, perPause: 16)

  /// 8 refusals at once, then two in 16 ms, the second of which starts a pause: one answer per vblank is as informative
  /// as thousands.
  static let refusals = MessagePace(perSecond: 64, burst: 8, perPause: 1)

  private let nanosecondsPerMessage: UInt64
  private let burstNanoseconds: UInt64
  private let pauseNanoseconds: UInt64
  /// The remaining burst, in nanoseconds of the average rate.
  private var credit: UInt64
  private var last: UInt64 = 0

  /// - Parameter perPause: the length of a pause, in messages of the average rate.
  init(perSecond: UInt64, burst: UInt64, perPause: UInt64) {
    nanosecondsPerMessage = 1_000_000_000 / perSecond
    burstNanoseconds = burst * nanosecondsPerMessage
    pauseNanoseconds = perPause * nanosecondsPerMessage
    credit = burstNanoseconds
  }

  /// Lines in the log about one user's clients.
  init(_ limits: ClientLimits) {
    self.init(perSecond: UInt64(limits.logRate), burst: UInt64(limits.logBurst), perPause: 1)
  }

  /// Counts a message. Returns the time until which nothing may be read from the client, or nil.
  mutating func pause(at now: UInt64) -> UInt64? {
    let elapsed = min(now > last ? now - last : 0, burstNanoseconds)
    last = now
    credit = min(credit + elapsed, burstNanoseconds)
    if credit >= nanosecondsPerMessage {
      credit -= nanosecondsPerMessage
      return nil
    }
    return now + pauseNanoseconds
  }
}
