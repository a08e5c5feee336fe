import PresentProtocol
import Testing

struct ReconnectPaceTests {
  private let millisecond: UInt64 = 1_000_000

  @Test func `a missing daemon is tried ten times a second, after five seconds twice`() {
    var pace = ReconnectPace()
    #expect((0..<50).map { _ in pace.absent() } == Array(repeating: 100 * millisecond, count: 50))
    #expect(pace.absent() == 500 * millisecond)
    pace.welcomed(now: 0)
    #expect(pace.absent() == 100 * millisecond)
  }

  @Test func `pauses after refusals double from 100 ms to 5 s`() {
    var pace = ReconnectPace()
    let pauses = (0..<9).map { _ in pace.refused(now: 0) / millisecond }
    #expect(pauses == [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
  }

  @Test func `a client that is disconnected soon after WELCOME does not reconnect ever faster`() {
    var pace = ReconnectPace()
    var now: UInt64 = 0
    var pauses: [UInt64] = []
    for _ in 0..<4 {
      pace.welcomed(now: now)
      now += 1000 * millisecond
      pauses.append(pace.refused(now: now) / millisecond)
    }
    #expect(pauses == [100, 200, 400, 800])
    pace.welcomed(now: now)
    #expect(pace.refused(now: now + 10_000 * millisecond) == 100 * millisecond)
  }
}
