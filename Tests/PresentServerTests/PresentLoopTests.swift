import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import Testing

@Suite("The present loop")
struct PresentLoopTests {
  @Test func `present, flip and release come in that order, and the replaced buffer only after the flip`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    try client.present(1, 1)
    #expect(bench.output.commits.count == 1)
    #expect(try client.messages().isEmpty)
    bench.output.vblank()
    #expect(try client.messages() == [done(1, .flipped, 101)])
    try client.present(2, 2)
    #expect(try client.messages().isEmpty)
    bench.output.vblank()
    #expect(try client.messages() == [done(2, .flipped, 102), released(1, 1)])
  }

  @Test func `the newest frame waits; the one that it replaces is superseded and its damage kept`() throws {
    let bench = try Bench()
    let client = try bench.client()
    for id: UInt32 in 1...3 { try client.makeBuffer(id) }
    try client.present(1, 1)
    try client.present(2, 2, damage: Damage(Rect(x: 0, y: 0, width: 8, height: 8)))
    try client.present(3, 3, damage: Damage(Rect(x: 20, y: 20, width: 4, height: 4)))
    #expect(bench.output.commits.count == 1)
    #expect(try client.messages() == [done(2, .superseded), released(2, 2)])
    bench.output.vblank()
    #expect(bench.output.commits.count == 2)
    let damage = bench.output.commits[1].frame.damage
    #expect(damage.count == 2)
    #expect(damage.bounds == Rect(x: 0, y: 0, width: 24, height: 24))
    #expect(try client.messages() == [done(1, .flipped, 101)])
    bench.output.vblank()
    #expect(try client.messages() == [done(3, .flipped, 102), released(1, 1)])
  }

  @Test func `a frame that changes nothing is shown without damage, and its buffer replaces the other`() throws {
    let bench = try Bench()
    let client = try bench.client()
    for id: UInt32 in 1...2 { try client.makeBuffer(id) }
    try client.present(1, 1)
    bench.output.vblank()
    try client.present(2, 2, damage: .nothing)
    bench.output.vblank()
    #expect(bench.output.commits.count == 2)
    #expect(bench.output.commits[0].frame.damage.bounds == Rect(width: 64, height: 48))
    #expect(bench.output.commits[1].frame.damage.isEmpty)
    #expect(try client.messages() == [done(1, .flipped, 101), done(2, .flipped, 102), released(1, 1)])
  }

  @Test func `the buffer on screen may be presented again; it is released when really replaced`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    try client.present(1, 1)
    bench.output.vblank()
    try client.present(2, 1)
    bench.output.vblank()
    #expect(try client.messages() == [done(1, .flipped, 101), done(2, .flipped, 102)])
    try client.present(3, 1)
    try client.present(4, 2)
    bench.output.vblank()
    bench.output.vblank()
    #expect(try client.messages() == [done(3, .flipped, 103), done(4, .flipped, 104), released(1, 3)])
  }

  @Test func `cursor moves do not need a frame, and make one commit per vblank`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(9, usage: .cursor)
    try client.setCursor(9, 1, 1)
    #expect(bench.output.commits.isEmpty)
    try client.present(1, 1)
    #expect(bench.output.commits[0].frame.cursor?.x == 1)
    for x: Int32 in 2...10 { try client.setCursor(9, x, -3) }
    #expect(bench.output.commits.count == 1)
    bench.output.vblank()
    #expect(bench.output.commits.count == 2)
    #expect(bench.output.commits[1].frame.cursor?.x == 10)
    #expect(bench.output.commits[1].frame.cursor?.y == -3)
    #expect(bench.output.commits[1].frame.damage.isEmpty)
    bench.output.vblank()
    try client.setCursor(9, 10, -3)
    #expect(bench.output.commits.count == 2)
    try client.setCursor(nil, 0, 0)
    bench.output.vblank()
    #expect(bench.output.shown?.cursor == nil)
    #expect(try client.messages() == [done(1, .flipped, 101), released(9, 0)])
  }

  @Test func `a centred picture's cursor goes with it`() throws {
    let bench = try Bench([FakeOutput(fit: .centered(x: 10, y: 5))])
    let client = try bench.client()
    try client.makeBuffer(1, 32, 24)
    try client.makeBuffer(9, usage: .cursor)
    try client.setCursor(9, 2, 3)
    try client.present(1, 1, source: Rect(width: 32, height: 24))
    #expect(bench.output.commits[0].frame.cursor?.x == 12)
    #expect(bench.output.commits[0].frame.cursor?.y == 8)
  }

  @Test func `disabling blanks once, and supersedes a waiting frame`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    try client.send(.disable(scanout: 0))
    try bench.settle()
    #expect(bench.output.commits.isEmpty)
    try client.present(1, 1)
    bench.output.vblank()
    try client.present(2, 2)
    try client.present(3, 1)
    try client.send(.disable(scanout: 0))
    #expect(try client.messages() == [done(1, .flipped, 101), done(3, .superseded)])
    bench.output.vblank()
    bench.output.vblank()
    #expect(bench.output.shown?.buffer == nil)
    #expect(try client.messages() == [done(2, .flipped, 102), released(1, 3), released(2, 2)])
    try client.send(.disable(scanout: 0))
    try bench.settle()
    #expect(bench.output.commits.count == 3)
  }

  @Test func `the fit of a size is tested once, and again when the output has changed`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    let before = bench.output.fitQuestions
    for frame: UInt64 in 1...4 {
      try client.present(frame, UInt32(frame % 2) + 1)
      bench.output.vblank()
    }
    #expect(bench.output.fitQuestions == before + 1)
    bench.output.plug(true)
    try client.present(5, 2)
    #expect(bench.output.fitQuestions == before + 2)
  }

  @Test func `a frame that the output refuses on every path is rejected, reported once, and the next one is whole`()
    throws
  {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    bench.output.refusals = [.gone("no monitor"), .gone("no monitor")]
    try client.present(1, 1)
    try client.present(2, 1)
    let text = "fake-0 cannot show a frame: no monitor"
    #expect(
      try client.messages() == [
        done(1, .rejected), .error(ErrorMessage(code: .output, text: text), request: 0), released(1, 1),
        done(2, .rejected), released(1, 2),
      ])
    try client.present(3, 1, damage: Damage(Rect(width: 1, height: 1)))
    #expect(bench.output.commits[0].frame.damage.bounds == Rect(width: 64, height: 48))
  }

  @Test func `without change there is no commit, no timer and no wake-up`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.present(1, 1)
    bench.output.vblank()
    _ = try client.messages()
    #expect(try bench.loop.runOnce(timeoutMilliseconds: 50) == 0)
    #expect(bench.output.commits.count == 1)
  }
}
