import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import Testing

@Suite("One VM has the output to itself")
struct ExclusiveTests {
  /// VMs live as long as their test.
  private final class Stage { var clients: [BenchClient] = [] }
  private let stage = Stage()

  /// Two VMs in layout focus, each with its frame; the first has the output.
  private func stage(_ settings: String) throws -> (Bench, [BenchClient]) {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"focus\"\n\(settings)")
    let clients = try ["a", "b"].map { try bench.client($0) }
    for (index, client) in clients.enumerated() {
      try client.makeBuffer(1).fill(UInt32(index + 1))
      try client.present(1, 1)
    }
    stage.clients = clients
    return (bench, clients)
  }

  private func shown(_ bench: Bench) throws -> UInt32? {
    try bench.vblank()
    return try bench.output.shown?.buffer?.mapped().color(0, 0)
  }

  @Test func `max-hold ends each hold in time, and each VM has its turn`() throws {
    let (bench, clients) = try stage("max-hold = 30")
    #expect(try shown(bench) == 1)
    for wanted: UInt32 in [2, 1, 2] {
      let before = try shown(bench)
      try bench.advance(milliseconds: 29_500)
      #expect(try shown(bench) == before)
      try bench.advance(milliseconds: 500)
      #expect(try shown(bench) == wanted)
    }
    #expect(clients.allSatisfy { !$0.isEnded })
  }

  @Test func `a VM with an empty queue behind it keeps the output, without a commit`() throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"focus\"\nmax-hold = 1")
    let client = try bench.client("a")
    try client.makeBuffer(1).fill(7)
    try client.present(1, 1)
    #expect(try bench.run { try shown(bench) == 7 })
    let before = bench.output.commits.count
    try bench.advance(milliseconds: 5_000)
    try bench.server?.revoke(output: "fake-0")
    try bench.vblank()
    #expect(bench.output.commits.dropFirst(before).allSatisfy { $0.frame.buffer != nil })
    #expect(try shown(bench) == 7)
  }

  @Test func `the watchdog gives the output of a silent VM to one that waits`() throws {
    let (bench, _) = try stage("watchdog = 5")
    #expect(try bench.run { try shown(bench) == 1 })
    try bench.advance(milliseconds: 4_900)
    #expect(try shown(bench) == 1)
    try bench.advance(milliseconds: 200)
    #expect(try shown(bench) == 2)
  }

  @Test func `the host revokes an output at once, and the VM waits for its next turn`() throws {
    let (bench, _) = try stage("")
    #expect(try bench.run { try shown(bench) == 1 })
    for wanted: UInt32 in [2, 1, 2] {
      try bench.server?.revoke(output: "fake-0")
      #expect(try bench.run { try shown(bench) == wanted })
    }
  }

  @Test func `revoking an output without a holder is refused`() throws {
    let bench = try Bench()
    var told: [String] = []
    for name in ["fake-0", "DP-9"] {
      do { try bench.server?.revoke(output: name) } catch { told.append("\(error)") }
    }
    #expect(
      told == [
        "no VM holds fake-0: its layout is not focus and its policy is not exclusive",
        "there is no output DP-9; there are: fake-0",
      ])
  }
}
