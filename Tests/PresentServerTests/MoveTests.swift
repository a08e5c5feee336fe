import Outputs
import PresentProtocol
import PresentServer
import ServerSupport
import Testing

@Suite("A VM is put onto another output by the host")
struct MoveTests {
  /// Draws a VM's picture for the output that it is on now.
  private func draw(_ client: BenchClient, _ colour: UInt32, frame: UInt64) throws {
    client.note(try client.messages())
    try client.makeBuffer(UInt32(frame)).fill(colour)
    try client.present(frame, UInt32(frame))
  }

  private func shown(_ output: FakeOutput) throws -> UInt32? {
    output.vblank()
    return try output.shown?.buffer?.mapped().color(0, 0)
  }

  @Test func `two VMs change places, and back, while both run`() throws {
    let bench = try Bench([FakeOutput("fake-0"), FakeOutput("fake-1")])
    let (web, db) = (try bench.client("web"), try bench.client("db"))
    for (frame, vm, places) in [(1, "db", ("fake-1", "fake-0")), (2, "web", ("fake-0", "fake-1"))] {
      try bench.server?.apply("[vm.\(vm)]\noutputs = \"fake-0\"")
      try draw(web, 0x11, frame: UInt64(frame))
      try draw(db, 0x22, frame: UInt64(frame))
      #expect(web.outputs[0]?.name == places.0)
      #expect(db.outputs[0]?.name == places.1)
      #expect(try bench.run { try shown(bench.outputs[0]) == (vm == "db" ? 0x22 : 0x11) })
      #expect(try bench.run { try shown(bench.outputs[1]) == (vm == "db" ? 0x11 : 0x22) })
    }
    #expect(!web.isEnded && !db.isEnded)
  }

  @Test func `with one output the displaced VM is parked, stays paced, and is shown again`() throws {
    let bench = try Bench()
    let (web, db) = (try bench.client("web"), try bench.client("db"))
    #expect(db.outputs[0]?.parked == true)
    try bench.server?.apply("[vm.db]\noutputs = \"fake-0\"")
    try draw(web, 0x11, frame: 1)
    try draw(db, 0x22, frame: 1)
    #expect(web.outputs[0]?.parked == true)
    #expect(db.outputs[0]?.name == "fake-0")
    #expect(try shown(bench.output) == 0x22)
    #expect(bench.parked.contains { (try? shown($0)) == 0x11 })
    let isPaced = try web.messages().contains {
      if case .frameDone(let done) = $0 { done.outcome == .flipped } else { false }
    }
    #expect(isPaced)

    db.leave()
    try bench.settle()
    try draw(web, 0x12, frame: 2)
    #expect(web.outputs[0]?.parked == false)
    #expect(try bench.run { try shown(bench.output) == 0x12 })
  }

  @Test func `the host's choice of output takes precedence over the VM's`() throws {
    let bench = try Bench([FakeOutput("fake-0"), FakeOutput("fake-1")])
    try bench.server?.apply("[vm.db]\noutputs = \"fake-1, fake-0\"")
    let db = try bench.client("db", scanouts: 2, outputs: ["fake-0", "fake-1"])
    #expect(db.outputs[0]?.name == "fake-1")
    #expect(db.outputs[1]?.name == "fake-0")
    try bench.server?.apply("[vm.db]\noutputs = \"fake-0, fake-1\"")
    _ = try db.messages()
    #expect(db.outputs[0]?.name == "fake-0")
    #expect(db.outputs[1]?.name == "fake-1")
  }

  @Test func `an unknown output is refused, and no VM moves`() throws {
    let bench = try Bench()
    let web = try bench.client("web")
    var told: [String] = []
    do { try bench.server?.apply("[vm.web]\nweight = 5\noutputs = \"DP-9\"") } catch { told.append("\(error)") }
    #expect(told == ["line 3: there is no output DP-9; there are: fake-0"])
    #expect(try web.messages() == [])
  }
}
