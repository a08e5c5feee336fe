import Testing

@testable import PresentServer

@Suite("The pace of messages")
struct MessagePaceTests {
  private static let second: UInt64 = 1_000_000_000

  @Test func `a buffer for every frame of 144 Hz is never held back`() {
    var pace = MessagePace.imports
    for frame in UInt64(0)..<10_000 {
      #expect(pace.pause(at: MessagePaceTests.second + frame * MessagePaceTests.second / 144) == nil)
    }
  }

  @Test(arguments: [(MessagePace.frames, 2000, 200), (.imports, 256, 64), (.connections, 4000, 512)])
  func `a flood gets its burst, then the average`(pace: MessagePace, perSecond: Int, burst: Int) {
    var pace = pace
    let start = 5 * MessagePaceTests.second
    var (now, count) = (start, 0)
    // A client that sends whenever it is read from.
    while now < start + 10 * MessagePaceTests.second {
      if let until = pace.pause(at: now) { now = until }
      count += 1
    }
    // Each pause lets one message more through than it is worth.
    #expect(count >= burst + 10 * perSecond)
    #expect(count <= (burst + 10 * perSecond) * 9 / 8 + 1)
  }
}
