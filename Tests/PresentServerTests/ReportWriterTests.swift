import LinuxIO
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import Testing

@testable import PresentServer

@Suite("Answers to STATUS and TRACE")
struct ReportWriterTests {
  /// Clients that have each shown 600 frames: a trace that takes many slices.
  private func clients(_ count: Int, _ bench: Bench) throws -> [BenchClient] {
    let clients = try (0..<count).map { try bench.client("vm\($0)") }
    for client in clients { try client.makeBuffer(1) }
    for frame: UInt64 in 1...600 {
      for client in clients { try client.present(frame, 1) }
      // The daemon pauses clients that present this fast.
      #expect(try bench.run { bench.outputs.prefix(count).allSatisfy(\.isCommitPending) })
      for output in bench.outputs { output.vblank() }
      for client in clients { _ = try client.messages() }
    }
    return clients
  }

  private func answers(_ messages: [ServerMessage]) -> [UInt64] {
    messages.compactMap { if case .statusReply(_, let request) = $0 { request } else { nil } }
  }

  @Test func `a long trace does not keep a frame from being committed`() throws {
    let bench = try Bench((0..<5).map { FakeOutput("\($0)") })
    let others = try clients(4, bench)
    // Those have presented as fast as the daemon lets them; this one is not paused.
    let late = try bench.client("late")
    try late.makeBuffer(1)
    let tool = try bench.tool()
    try tool.send(.trace(request: 1))
    // The slice that begins the answer does not end it, and the next event is the frame's.
    try bench.loop.runOnce(timeoutMilliseconds: 0)
    try late.send(
      .present(
        Present(
          scanout: 0, generation: late.generation(), frame: 1, bufferID: 1,
          source: Rect(width: 64, height: 48), damage: .full, path: .copy, copies: 0, copiedBytes: 0)))
    var rounds = 0
    while bench.outputs[4].commits.isEmpty, rounds < 100 {
      try bench.loop.runOnce(timeoutMilliseconds: 0)
      rounds += 1
    }
    #expect(rounds <= 3)
    #expect(try answers(tool.messages()) == [1])
    let trace = try DaemonTrace(json: Array(tool.status.utf8))
    #expect(trace.scanouts.map(\.vm) == ["vm0", "vm1", "vm2", "vm3", "late"])
    #expect(trace.scanouts.dropLast().allSatisfy { $0.frames.count == 512 })
    #expect(others.allSatisfy { !$0.isEnded })
  }

  @Test func `a client's requests are answered in their order, and two clients take turns`() throws {
    let bench = try Bench((0..<2).map { FakeOutput("\($0)") })
    let clients = try clients(2, bench)
    for request: UInt64 in 1...3 { try clients[0].send(.trace(request: request)) }
    try clients[0].send(.status(request: 4))
    try clients[1].send(.status(request: 9))
    #expect(try answers(clients[1].messages()) == [9])
    #expect(try all(4, of: clients[0], bench) == [1, 2, 3, 4])
    #expect(try OwnStatus(json: Array(clients[0].status.utf8)).vms.map(\.name) == ["vm0"])
  }

  /// The client's next answers.
  private func all(_ count: Int, of client: BenchClient, _ bench: Bench) throws -> [UInt64] {
    var answers: [UInt64] = []
    #expect(
      try bench.run {
        answers += self.answers(try client.messages())
        return answers.count >= count
      })
    return answers
  }

  @Test func `a request is answered when the client has read the last answer, and messages after it come later`()
    throws
  {
    let bench = try Bench()
    let client = try clients(1, bench)[0]
    for request: UInt64 in 1...20 { try client.send(.trace(request: request)) }
    try client.send(.destroyBuffer(1))
    try client.send(.status(request: 21))
    try bench.settle()
    #expect(bench.server?.sessions.first?.surfaces.first?.buffers.count == 1)
    #expect(try all(21, of: client, bench) == Array(1...21))
    #expect(bench.server?.sessions.first?.surfaces.first?.buffers.isEmpty == true)
  }

  @Test func `a client that disconnects during its trace gets no answer, and disconnected VMs are omitted`() throws {
    let bench = try Bench((0..<3).map { FakeOutput("\($0)") })
    let clients = try clients(3, bench)
    let tool = try bench.tool()
    try tool.send(.trace(request: 1))
    try clients[0].send(.trace(request: 2))
    try bench.loop.runOnce(timeoutMilliseconds: 0)
    clients[0].leave()
    clients[2].leave()
    #expect(try answers(tool.messages()) == [1])
    let trace = try DaemonTrace(json: Array(tool.status.utf8))
    #expect(trace.scanouts.map(\.vm) == ["vm0", "vm1"] || trace.scanouts.map(\.vm) == ["vm1"])
  }
}
