import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import Testing

@Suite("Power of an output")
struct PowerTests {
  /// A client whose frame is on screen.
  private func shown(_ bench: Bench, _ name: String = "vm", _ color: UInt32 = 7) throws -> BenchClient {
    let client = try bench.client(name)
    for id: UInt32 in 1...3 { try client.makeBuffer(id).fill(color + id - 1) }
    try client.present(1, 1)
    try bench.vblank()
    _ = try client.messages()
    return client
  }

  private func color(_ bench: Bench) throws -> UInt32? { try bench.output.shown?.buffer?.mapped().color(5, 5) }

  private func outcomes(_ messages: [ServerMessage]) -> [PresentOutcome] {
    messages.compactMap { if case .frameDone(let done) = $0 { done.outcome } else { nil } }
  }

  private func power(
    _ client: BenchClient
  ) throws -> (DaemonStatus.Output.Power, DaemonStatus.Output.PowerReason?) {
    let output = try #require(try client.readStatus().outputs.first)
    return (output.power, output.powerReason)
  }

  @Test func `off is one commit without a frame, frames continue unseen, and on is one commit of the newest frame`()
    throws
  {
    let bench = try Bench(clock: HandClock())
    let client = try shown(bench)
    try bench.server?.apply("[output.fake-0]\npower = \"off\"")
    try bench.vblank()
    #expect(bench.output.commits.count == 2)
    #expect(bench.output.shown?.buffer == nil)
    #expect(try client.messages() == [], "it is told of nothing, and keeps its buffers")
    try client.present(2, 2)
    #expect(try bench.run { outcomes(try client.messages()) == [.flipped] }, "it is paced without a flip")
    try client.present(3, 3)
    try client.setCursor(nil, 0, 0)
    #expect(bench.output.commits.count == 2)
    #expect(try power(client) == (.off, .command))
    try client.send(.snapshot(.vm(name: "vm", scanout: 0), request: 99))
    _ = try client.messages()
    #expect(client.snapshot?.color(5, 5) == 9, "a snapshot shows what nobody sees")

    try bench.server?.apply("[output.fake-0]\npower = \"on\"")
    #expect(bench.output.commits.count == 3)
    try bench.vblank()
    #expect(try color(bench) == 9)
    let last = try #require(bench.output.commits.last)
    #expect(last.frame.damage.bounds == Rect(width: 64, height: 48))
    #expect(try power(client) == (.on, nil))
    #expect(client.generation() == 1)
  }

  @Test func `while another console is shown no commit is made, frames continue unseen, and then the newest is shown`()
    throws
  {
    let bench = try Bench(clock: HandClock())
    bench.output.info.kind = .kms
    let client = try shown(bench)
    try client.present(2, 2)
    // Its flip comes after the switch.
    let server = try #require(bench.server)
    server.setMonitorsAway(true)
    try bench.vblank()
    let commits = bench.output.commits.count
    #expect(try bench.run { outcomes(try client.messages()) == [.flipped] })
    try client.present(3, 3)
    #expect(try bench.run { outcomes(try client.messages()) == [.flipped] }, "it is paced without a flip")
    for power in ["blank", "off", "on"] { try server.apply("[output.fake-0]\npower = \"\(power)\"") }
    #expect(bench.output.commits.count == commits)
    #expect(client.generation() == 1, "its monitor is still there")

    server.setMonitorsAway(false)
    #expect(bench.output.commits.count == commits + 1)
    #expect(bench.output.commits.last?.frame.damage.bounds == Rect(width: 64, height: 48))
    try bench.vblank()
    #expect(try color(bench) == 9)
  }

  @Test(arguments: ["blank", "off"])
  func `what was dark before another console was shown is dark afterwards`(power: String) throws {
    let bench = try Bench(clock: HandClock())
    bench.output.info.kind = .kms
    _ = try shown(bench)
    let server = try #require(bench.server)
    try server.apply("[output.fake-0]\npower = \"\(power)\"")
    try bench.vblank()
    let commits = bench.output.commits.count
    server.setMonitorsAway(true)
    server.setMonitorsAway(false)
    // It was turned off when the card was taken back: black must be shown again.
    let wanted = commits + (power == "blank" ? 1 : 0)
    #expect(try bench.run { bench.output.commits.count == wanted })
    #expect(try bench.output.commits.last?.frame.buffer?.mapped().color(5, 5) ?? 0 == 0)
  }

  @Test(arguments: ["blank", "off"])
  func `an unchanged picture is shown again as it was`(power: String) throws {
    let bench = try Bench()
    let client = try shown(bench)
    try client.makeBuffer(9, usage: .cursor).fill(0xff12_3456)
    try client.setCursor(9, 3, 4)
    while bench.output.pending != nil || bench.output.commits.count < 2 {
      bench.output.vblank()
      try bench.loop.runOnce(timeoutMilliseconds: 5)
    }
    try bench.server?.apply("[outputs]\npower = \"\(power)\"")
    bench.output.vblank()
    #expect(try color(bench) == (power == "blank" ? 0 : nil))
    #expect(bench.output.shown?.cursor == nil)
    let dark = bench.output.commits.count
    try client.setCursor(9, 20, 10)
    try bench.settle()
    #expect(bench.output.commits.count == dark, "nobody sees a cursor")
    try bench.server?.apply("[outputs]\npower = \"on\"")
    bench.output.vblank()
    #expect(bench.output.commits.count == dark + 1)
    #expect(try color(bench) == 7)
    #expect(bench.output.shown?.cursor.map { [$0.x, $0.y] } == [20, 10])
  }

  @Test func `tiles are shown again together, each with its newest frame`() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let source = Rect(width: 32, height: 48)
    let clients = try ["a", "b"].map { try bench.client($0) }
    for (index, client) in clients.enumerated() {
      for id: UInt32 in 1...2 { try client.makeBuffer(id, 32, 48).fill(UInt32(index) * 16 + id) }
      try client.present(1, 1, source: source)
    }
    func settle() throws {
      for _ in 0..<4 {
        try bench.loop.runOnce(timeoutMilliseconds: 20)
        bench.output.vblank()
      }
    }
    try settle()
    for (power, isBlack) in [("blank", true), ("off", false), ("blank", true)] {
      try bench.server?.apply("[outputs]\npower = \"\(power)\"")
      try settle()
      #expect((try color(bench) == 0) == isBlack)
      #expect((bench.output.shown?.buffer == nil) == !isBlack)
    }
    try clients[1].present(2, 2, source: source)
    try settle()
    let before = bench.output.commits.count
    try bench.server?.apply("[outputs]\npower = \"on\"")
    try settle()
    #expect(bench.output.commits.count == before + 1)
    let picture = try #require(try bench.output.shown?.buffer?.mapped())
    for y in 0..<48 { for x in 0..<64 { #expect(picture.color(x, y) == (x < 32 ? 1 : 18)) } }
  }

  @Test func `an idle output is blanked, then off, and the next frame or cursor move turns it on with one commit`()
    throws
  {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nidle-blank = 10\nidle-off = 600")
    let client = try shown(bench)
    for round: UInt64 in 0..<2 {
      var commits = bench.output.commits.count
      try bench.advance(milliseconds: 9_900)
      #expect(bench.output.commits.count == commits)
      try bench.advance(milliseconds: 100)
      #expect(bench.output.commits.count == commits + 1)
      try bench.vblank()
      #expect(try color(bench) == 0)
      #expect(try power(client) == (.blank, .idle))
      try bench.advance(milliseconds: 589_900)
      #expect(bench.output.commits.count == commits + 1)
      try bench.advance(milliseconds: 100)
      #expect(bench.output.commits.count == commits + 2)
      try bench.vblank()
      #expect(bench.output.shown?.buffer == nil)
      commits = bench.output.commits.count
      if round == 0 {
        try client.present(2, 2)
      } else {
        try client.makeBuffer(9, usage: .cursor)
        try client.setCursor(9, 3, 4)
      }
      #expect(bench.output.commits.count == commits + 1)
      try bench.vblank()
      #expect(try color(bench) == 8)
    }
  }

  @Test
  func `an output turned off by command stays off despite new frames, and a command does not turn on an idle one`()
    throws
  {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nidle-blank = 1")
    let client = try shown(bench)
    try bench.server?.apply("[outputs]\npower = \"off\"")
    try bench.vblank()
    let commits = bench.output.commits.count
    try client.present(2, 2)
    try bench.advance(milliseconds: 1_500)
    try client.present(3, 3)
    #expect(bench.output.commits.count == commits)
    #expect(bench.output.shown?.buffer == nil)
    try bench.server?.apply("[outputs]\npower = \"on\"")
    try bench.vblank()
    #expect(try color(bench) == 9)
  }

  @Test func `blank does not wake a monitor that sleeps because its guest disabled its head`() throws {
    let bench = try Bench()
    let client = try shown(bench)
    try client.send(.disable(scanout: 0))
    try bench.settle()
    bench.output.vblank()
    #expect(bench.output.shown?.buffer == nil)
    let commits = bench.output.commits.count
    try bench.server?.apply("[outputs]\npower = \"blank\"")
    try bench.server?.apply("[outputs]\npower = \"on\"")
    #expect(bench.output.commits.count == commits)
    try client.present(2, 2)
    bench.output.vblank()
    #expect(try color(bench) == 8)
  }

  @Test func `an invalid power value or time is refused with its line, and nothing changes`() throws {
    let bench = try Bench()
    var told: [String] = []
    for text in ["power = \"dim\"", "idle-off = 90000", "idle-blank = \"soon\""] {
      do { try bench.server?.apply("[outputs]\n\(text)") } catch { told.append("\(error)") }
    }
    #expect(
      told == [
        "line 2: there is no power dim; there are: on, blank, off",
        "line 2: idle-off is a whole number of seconds from 1 to 86400, or 0 for never, not 90000",
        "line 2: idle-blank is a whole number of seconds from 1 to 86400, or 0 for never, not soon",
      ])
    #expect(bench.output.commits.isEmpty)
  }
}
