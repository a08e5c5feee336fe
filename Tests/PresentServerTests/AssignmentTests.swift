import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import Testing

@Suite("Scanouts and outputs")
struct AssignmentTests {
  @Test func `a scanout gets the output that it names, else the first free one`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B"), FakeOutput("C")])
    let first = try bench.client("first", scanouts: 2, outputs: ["", "A"])
    #expect(first.outputs[0]?.name == "A")
    #expect(first.outputs[1]?.parked == true)
    let second = try bench.client("second", outputs: ["C"])
    #expect(second.outputs[0]?.name == "C")
    #expect(second.outputs[0]?.edid == [1, 2, 3])
    #expect(second.outputs[0]?.generation == 1)
  }

  @Test func `an unknown output name is answered with the names that exist`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let client = try bench.stranger()
    try client.send(.hello(Hello(kind: .vm, name: "vm", scanoutCount: 1, outputs: ["Z"])))
    let text = "there is no output Z; there are: A, B"
    #expect(
      try client.messages() == [.error(ErrorMessage(code: .noSuchOutput, text: text), request: 0)])
    #expect(try client.ends())
  }

  @Test func `the name of a connected client is refused with its process, and that of a dead one is free`() throws {
    let bench = try Bench()
    let first = try bench.client("vm")
    let second = try bench.stranger()
    try second.send(.hello(Hello(kind: .vm, name: "vm", scanoutCount: 1)))
    let text = "process \(currentProcessID()) is connected as vm"
    #expect(try second.messages() == [.error(ErrorMessage(code: .nameTaken, text: text), request: 0)])
    // The new HELLO may be read before the old connection's end.
    let third = try bench.stranger()
    try third.send(.hello(Hello(kind: .vm, name: "vm", scanoutCount: 1)))
    first.leave()
    let messages = try third.messages()
    #expect(messages.count == 2)
    #expect(third.outputs[0]?.name == "fake-0")
  }

  @Test func `a client that is refused again and again is logged once for each reason`() throws {
    let bench = try Bench()
    let first = try bench.client("vm")
    func ask(_ output: String = "") throws {
      let client = try bench.stranger()
      try client.send(.hello(Hello(kind: .vm, name: "vm", scanoutCount: 1, outputs: [output])))
      #expect(try client.messages().count == 1)
    }
    for _ in 0..<5 { try ask() }
    let refused = { bench.lines.filter { $0.contains("refused") } }
    #expect(refused().count == 1)
    first.leave()
    try bench.settle()
    for _ in 0..<5 { try ask("Z") }
    #expect(refused().count == 2)
    // One that was accepted meanwhile is refused for the first time again.
    let second = try bench.client("vm")
    second.leave()
    try bench.settle()
    for _ in 0..<5 { try ask("Z") }
    #expect(refused().count == 3)
  }

  @Test func `two clients do not affect each other's pictures`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let first = try bench.client("first")
    let second = try bench.client("second")
    try first.makeBuffer(1).fill(0x111111)
    try second.makeBuffer(1).fill(0x222222)
    try first.present(1, 1)
    try second.present(1, 1)
    for output in bench.outputs { output.vblank() }
    #expect(try bench.outputs[0].shown?.buffer?.mapped().color(0, 0) == 0x111111)
    #expect(try bench.outputs[1].shown?.buffer?.mapped().color(0, 0) == 0x222222)
    first.leave()
    try bench.settle()
    bench.outputs[0].vblank()
    #expect(bench.outputs[0].shown?.buffer == nil)
    #expect(bench.outputs[1].commits.count == 1)
  }

  @Test func `a parked scanout is paced, can be captured, and moves when an output is free`() throws {
    let bench = try Bench()
    let first = try bench.client("first")
    try first.makeBuffer(1)
    try first.present(1, 1)
    bench.output.vblank()
    let waiting = try bench.client("waiting")
    #expect(waiting.outputs[0]?.parked == true)
    #expect(waiting.outputs[0]?.mode.width == 32)
    try waiting.makeBuffer(1, 32, 24).fill(0xabcdef)
    try waiting.present(1, 1, source: Rect(width: 32, height: 24))
    bench.parked[0].vblank()
    #expect(try waiting.messages() == [done(1, .flipped, 101)])
    try waiting.send(.snapshot(.vm(name: "waiting", scanout: 0), request: 1))
    _ = try waiting.messages()
    #expect(waiting.snapshot?.color(31, 23) == 0xabcdef)
    // A frame waits and one is on its way when the output becomes free: both are superseded.
    try waiting.present(2, 1, source: Rect(width: 32, height: 24))
    try waiting.present(3, 1, source: Rect(width: 32, height: 24))
    first.leave()
    let messages = try waiting.messages()
    #expect(messages.prefix(2) == [done(3, .superseded), done(2, .superseded)])
    #expect(messages.count == 3)
    #expect(waiting.outputs[0]?.parked == false)
    #expect(waiting.outputs[0]?.generation == 2)
    #expect(bench.parked[0].isClosed)
    // Messages that cross the move are stale, not malformed.
    try waiting.present(4, 1, generation: 1)
    try waiting.send(.destroyBuffer(1))
    #expect(try waiting.messages() == [done(4, .superseded)])
    try waiting.makeBuffer(1).fill(0x123456)
    try waiting.present(5, 1)
    bench.output.vblank()
    bench.output.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(0, 0) == 0x123456)
    #expect(try waiting.messages().count == 1)
  }

  @Test func `clients with many parked scanouts that leave at once are not placed again for each of them`() throws {
    let bench = try Bench([FakeOutput("free"), FakeOutput("taken")])
    let holder = try bench.client("holder", outputs: ["taken"])
    let wishes = Array(repeating: "taken", count: PresentLimits.scanoutCount)
    let clients = try (0..<8).map { index in
      try bench.client("vm-\(index)", scanouts: wishes.count, outputs: wishes)
    }
    let parkedCount = clients.count * wishes.count
    #expect(bench.parked.count == parkedCount)
    let readsBefore = bench.outputs[0].infoReads
    for client in clients { client.leave() }
    #expect(try bench.run { bench.parked.allSatisfy(\.isClosed) })
    // At most one iteration per client, and one check of each waiting scanout per iteration.
    #expect(bench.outputs[0].infoReads - readsBefore <= clients.count * parkedCount)
    #expect(holder.outputs[0]?.name == "taken")
  }

  @Test func `an unplugged output parks its scanout as disconnected, and takes it back when plugged in`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.present(1, 1)
    bench.outputs[0].info.connected = false
    let other = try bench.client("other")
    #expect(other.outputs[0]?.name == "B")
    bench.outputs[0].plug(false)
    let messages = try client.messages()
    #expect(messages.first == done(1, .rejected))
    #expect(client.outputs[0]?.connected == false)
    #expect(client.outputs[0]?.name == "A")
    try client.makeBuffer(1)
    try client.present(2, 1)
    bench.parked[0].vblank()
    #expect(try client.messages() == [done(2, .flipped, 101)])
    bench.outputs[0].plug(true)
    _ = try client.messages()
    #expect(client.outputs[0]?.connected == true)
    #expect(client.outputs[0]?.generation == 3)
  }

  @Test func `a scanout on a stand-in moves to a monitor that is plugged in, unless it named the stand-in`()
    throws
  {
    let bench = try Bench([FakeOutput("stand-in")], fallbacks: ["stand-in"])
    let first = try bench.client("first")
    #expect(first.outputs[0]?.name == "stand-in")
    let second = try bench.client("second")
    #expect(second.outputs[0]?.parked == true)
    let monitor = FakeOutput("monitor", width: 32, height: 24)
    // Parked scanouts go first.
    try bench.server?.add(NamedOutput(name: "monitor", output: monitor))
    _ = try (first.messages(), second.messages())
    #expect(first.outputs[0]?.name == "stand-in")
    #expect(second.outputs[0]?.name == "monitor")
    second.leave()
    _ = try first.messages()
    #expect(first.outputs[0]?.name == "monitor")
    #expect(first.outputs[0]?.generation == 2)
    #expect(!bench.output.isClosed)
    // The stand-in is free for the next scanout, and no scanout is moved back to it.
    let third = try bench.client("third", outputs: ["stand-in"])
    #expect(third.outputs[0]?.name == "stand-in")
    try bench.server?.add(NamedOutput(name: "other", output: FakeOutput("other")))
    _ = try third.messages()
    #expect(third.outputs[0]?.name == "stand-in")
    #expect(first.outputs[0]?.name == "monitor")
  }

  @Test func `an output added at run time gets the last settings for all outputs, if they fit`() throws {
    let bench = try Bench()
    let tool = try bench.tool()
    try bench.server?.apply(
      """
      [outputs]
      layout = "focus"
      policy = "sla"
      max-hold = 60
      lease = "off"
      idle-off = 900
      [output.fake-0]
      policy = "fifo"
      idle-blank = 5
      """)
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"\nvrr = \"single\"\npower = \"off\"")
    let later = FakeOutput("later")
    try bench.server?.add(NamedOutput(name: "later", output: later))
    let added = try #require(try tool.readStatus().outputs.first { $0.name == "later" })
    #expect((added.layout, added.policy, added.vrr, added.power) == ("tile 2x1", .sla, .single, .off))
    #expect((added.maximumHoldSeconds, added.leasePolicy) == (60, "off"))
    #expect((added.idleBlankSeconds, added.idleOffSeconds) == (nil, 900))

    try bench.server?.apply("[outputs]\npower = \"on\"\nlayout = \"tile 64x1\"")
    try bench.server?.add(NamedOutput(name: "narrow", output: FakeOutput("narrow", width: 32, height: 24)))
    #expect(bench.lines.contains { $0.hasPrefix("narrow keeps layout single: ") })
  }

  @Test func `a client's death blanks its output, even with a commit under way`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    try client.present(1, 1)
    try client.present(2, 2)
    client.leave()
    try bench.settle()
    bench.output.vblank()
    bench.output.vblank()
    #expect(bench.output.shown?.buffer == nil)
    #expect(bench.output.commits.count == 2)
  }
}
