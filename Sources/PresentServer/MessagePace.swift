/// How many messages of a kind a client may send while there are others: some at once, and a number per second.
struct MessagePace {
  /// 2000 frames a second on average, 200 at once. A pause is worth 20: a wake-up for each would cost more than it
  /// saves.
  static let frames = MessagePace(perSecond: 2000, burst: 200, perPause: 20)
  /// 256 imports a second on average, 64 at once: four for each vblank of 60 Hz, so that a guest which makes a new buffer
  /// for every frame keeps its zero copies, and one that floods us with pages to pin waits. A pause of 8 is over long
  /// before the client stops waiting for its answer.
  static let imports = MessagePace(perSecond: 256, burst: 64, perPause: 8)

  /// 8 refusals at once, then two in 16 ms, the second of which begins a pause: to be told for each vblank says as much
  /// as thousands.
  static let refusals = MessagePace(perSecond: 64, burst: 8, perPause: 1)

  private let nanosecondsPerMessage: UInt64
  private let burstNanoseconds: UInt64
  private let pauseNanoseconds: UInt64
  /// In nanoseconds of the average rate.
  private var credit: UInt64
  private var last: UInt64 = 0

  /// - Parameter perPause: how many messages' time a pause lasts.
  init(perSecond: UInt64, burst: UInt64, perPause: UInt64) {
    nanosecondsPerMessage = 1_000_000_000 / perSecond
    burstNanoseconds = burst * nanosecondsPerMessage
    pauseNanoseconds = perPause * nanosecondsPerMessage
    credit = burstNanoseconds
  }

  /// Counts a message; the time until which nothing more is to be read from the client, or nil.
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
