import FrameSimulator
import GraphicsMemory
import LinuxIO
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import TestSupport
import Testing

@Suite("Memory for buffers")
struct MemoryTests {
  /// A picture of 64x48 pixels.
  private let picture = 64 * 48 * 4

  /// A server with memory for a number of pictures, and a limit per client.
  private func bench(pictures: Int, each: Int, _ more: String = "") throws -> Bench {
    let bench = try Bench()
    try bench.server?.apply(
      "[memory]\ncapacity = \(pictures * picture)\nmax-per-vm = \(each * picture)\noverhead = 0\n\(more)")
    return bench
  }

  @Test func `a request for more than is free waits, and is answered when a buffer is destroyed`() throws {
    let bench = try bench(pictures: 2, each: 1)
    let clients = try (0..<3).map { try bench.client("vm\($0)") }
    try clients[0].makeBuffer(1)
    try clients[1].makeBuffer(1)
    #expect(try clients[2].ask(1, request: 9).isEmpty)
    let vms = try clients[0].readStatus().vms
    #expect(vms.contains { ($0.waitingBuffers, $0.waitingBytes) == (1, 12288) })
    try clients[0].send(.destroyBuffer(1))
    let answer = try clients[2].messages()
    #expect(answer.buffers == [1])
    #expect(clients[2].mapped[1] != nil)
  }

  @Test func `a request with AT_ONCE is refused at once, without loss for the client`() throws {
    let bench = try bench(pictures: 1, each: 1)
    let clients = try (0..<2).map { try bench.client("vm\($0)") }
    try clients[0].makeBuffer(1)
    let answer = try clients[1].ask(1, request: 9, waits: false)
    #expect(answer.refusals.map(\.code) == [.noMemory])
    #expect(answer.refusals.first?.text.contains("12288 of the daemon's 12288 bytes") == true)
    clients[0].leave()
    try bench.settle()
    _ = try clients[1].messages()
    #expect(try clients[1].ask(1, request: 10, waits: false).buffers == [1])
  }

  @Test func `more than a client's own limit is refused at once, even if memory is free`() throws {
    let bench = try bench(pictures: 10, each: 10, "[vm.small]\nmax-memory = \"8K\"")
    let small = try bench.client("small")
    let text = "12288 bytes more than the 0 held would exceed the limit of 8192 bytes"
    #expect(
      try small.ask(1, request: 9) == [.error(ErrorMessage(code: .noMemory, text: text), request: 9)])
  }

  @Test func `two clients that both need two pictures get them one after the other, never one each`() throws {
    let bench = try bench(pictures: 2, each: 2)
    let clients = try (0..<2).map { try bench.client("vm\($0)") }
    try clients[0].makeBuffer(1)
    #expect(try clients[1].ask(2, request: 9).isEmpty, "the last one is kept for whoever can end with it")
    #expect(try clients[0].ask(2, request: 9).buffers == [2])
    clients[0].leave()
    try bench.settle()
    // The freed output is a new generation: requests that waited for the old one are answered as stale.
    let told = try clients[1].messages()
    #expect(told.refusals.map(\.code) == [.stale] || told.buffers == [2])
  }

  @Test func `memory of a client that loses its output is granted to waiting clients before the daemon sleeps`() throws
  {
    let bench = try bench(pictures: 2, each: 2)
    let names = ["shown", "second", "third"]
    let clients = try names.map { try bench.client($0) }
    try clients[1].makeBuffer(1)
    try clients[1].makeBuffer(2)
    #expect(try clients[2].ask(1, request: 9).isEmpty)
    clients[0].leave()
    try bench.settle()
    // Without another iteration of the loop: the answer has been sent.
    var answers: [ServerMessage] = []
    var fds = ReceivedFDs()
    while let message = try clients[2].connectionForFlooding?.receiveServerMessage(fds: &fds) {
      answers.append(message)
    }
    #expect(answers.buffers == [1])
  }

  @Test func `a buffer destroyed while on screen frees memory for waiting clients after it has left`() throws {
    let bench = try bench(pictures: 2, each: 2)
    let (shown, other) = (try bench.client("shown"), try bench.client("other"))
    try shown.makeBuffer(1)
    try shown.makeBuffer(2)
    try shown.present(1, 1)
    bench.output.vblank()
    #expect(try other.ask(1, request: 9).isEmpty)
    try shown.send(.destroyBuffer(1))
    #expect(try other.messages().isEmpty)
    try shown.present(2, 2)
    bench.output.vblank()
    _ = try shown.messages()
    #expect(try other.messages().isEmpty, "the one that shows may still want its second")
    shown.leave()
    try bench.settle()
    bench.output.vblank()
    bench.output.vblank()
    _ = try other.messages()
    #expect(try other.ask(2, request: 10).buffers == [2])
  }

  @Test func `a withdrawn request is answered, and the next one is served`() throws {
    let bench = try bench(pictures: 3, each: 3, "selection = \"fifo\"")
    let clients = try (0..<3).map { try bench.client("vm\($0)") }
    try clients[0].makeBuffer(1)
    #expect(try clients[1].ask(1, 64 * 3, request: 9).isEmpty)
    #expect(try clients[2].ask(1, request: 9).isEmpty)
    try clients[1].send(.destroyBuffer(1))
    #expect(try clients[1].messages().refusals.map(\.code) == [.noMemory])
    clients[0].leave()
    try bench.settle()
    #expect(try clients[2].messages().contains { if case .buffer = $0 { true } else { false } })
  }

  @Test(arguments: [("fifo", 1), ("recentUse", 3), ("bestFit", 2)])
  func `the selection decides which request gets freed memory`(name: String, winner: Int) throws {
    let bench = try bench(pictures: 6, each: 6, "selection = \"\(name)\"")
    let clients = try (0..<4).map { try bench.client("vm\($0)", outputs: $0 == 0 ? ["fake-0"] : []) }
    try clients[0].makeBuffer(1, 64, 48 * 6)
    for (index, count) in [(1, 2), (2, 5), (3, 3)] {
      #expect(try clients[index].ask(1, 64 * count, request: 9).isEmpty)
    }
    try clients[0].send(.destroyBuffer(1))
    let served = try (1..<4).filter { try clients[$0].messages().buffers == [1] }
    #expect(served == [winner])
  }

  @Test func `a scanout that moves ends the requests of its last generation`() throws {
    let bench = try bench(pictures: 1, each: 1)
    let clients = try (0..<2).map { try bench.client("vm\($0)") }
    try clients[0].makeBuffer(1)
    #expect(try clients[1].ask(1, request: 9).isEmpty)
    clients[0].leave()
    try bench.settle()
    let told = try clients[1].messages()
    #expect(told.refusals.map(\.code) == [.stale])
    #expect(try clients[1].ask(1, request: 10).buffers == [1])
  }

  @Test func `imports wait for memory too if they are counted`() throws {
    let bench = try bench(pictures: 1, each: 1, "imports = \"counted\"")
    let clients = try (0..<2).map { try bench.client("vm\($0)") }
    let list = try ImportRanges.list([ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: 3 * pageByteCount)])
    let memory = try MemFD.create(name: "guest", byteCount: 3 * pageByteCount)
    let layout = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    func importPages(_ client: BenchClient) throws -> [ServerMessage] {
      try client.send(
        .importBuffer(
          ImportBuffer(
            bufferID: 5, scanout: 0, generation: client.generation(), layout: layout, modifier: 0,
            memoryKind: .memfd, rangeCount: 1), request: 8), fds: [list.raw, memory.raw])
      return try client.messages()
    }
    #expect(try importPages(clients[0]).buffers == [5])
    #expect(try importPages(clients[1]).isEmpty)
    try clients[0].send(.destroyBuffer(5))
    #expect(try clients[1].messages().buffers == [5])
  }

  @Test func `settings that would break a limit or a promise are refused with the possible values`() throws {
    let bench = try bench(pictures: 4, each: 1)
    let clients = try (0..<3).map { try bench.client("vm\($0)") }
    for client in clients { try client.makeBuffer(1) }
    #expect(throws: Never.self) { try bench.server?.apply("[memory]\ncapacity = \(3 * picture)") }
    func refusal(_ text: String) -> String {
      do { try bench.server?.apply(text) } catch { return "\(error)" }
      return "none"
    }
    #expect(
      refusal("[memory]\ncapacity = \(2 * picture)")
        == "line 2: the capacity is too small for what the VMs hold and may still request; the minimum is 36864 bytes"
    )
    // The other two end with what they have, and so the third could have all.
    #expect(refusal("[vm.vm0]\nmax-memory = \(3 * picture)") == "none")
    #expect(refusal("[vm.vm1]\nmax-memory = \(3 * picture)").contains("line 2: the limit is too large for vm1"))
    #expect(refusal("[vm.vm1]\nmax-memory = \(3 * picture)").contains("the maximum is 24576 bytes") == true)
    #expect(refusal("[memory]\nselection = \"luck\"").contains("there is no selection luck; there are: fifo, best-fit"))
  }

  @Test(arguments: 0..<12)
  func `random clients never hold more than the capacity, and every request is answered in the end`(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let selections = ["fifo", "bestFit", "recentUse", "random", "agingBestFit"]
    let bench = try bench(pictures: 9, each: 4, "selection = \"\(selections[seed % 5])\"")
    var clients: [(client: BenchClient, held: [UInt32], asked: Set<UInt32>)] = []
    var next: UInt32 = 0
    func listen(_ index: Int) throws {
      let messages = try clients[index].client.messages()
      for case .output in messages { clients[index].held = [] }
      for id in messages.buffers {
        clients[index].asked.remove(id)
        clients[index].held.append(id)
      }
      for case .error(_, let request) in messages { clients[index].asked.remove(UInt32(request)) }
    }
    for step in 0..<250 {
      next += 1
      if clients.count < 6, Int.random(in: 0..<8, using: &random) == 0 || clients.isEmpty {
        clients.append((try bench.client("vm\(step)"), [], []))
      }
      let index = Int.random(in: 0..<clients.count, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        clients[index].asked.insert(next)
        let width = 64 * Int.random(in: 1...4, using: &random)
        let waits = Int.random(in: 0..<4, using: &random) > 0
        try clients[index].client.sendAsk(next, width, request: UInt64(next), waits: waits)
      case 5..<8:
        if let id = clients[index].held.popLast() { try clients[index].client.send(.destroyBuffer(id)) }
      case 8:
        if let id = clients[index].asked.first { try clients[index].client.send(.destroyBuffer(id)) }
      default:
        clients[index].client.leave()
        clients.remove(at: index)
      }
      for index in clients.indices { try listen(index) }
      if let first = clients.first {
        #expect(try first.client.readStatus().bufferBytes <= 9 * picture)
      }
    }
    // Clients with buffers disconnect, and waiting ones are served, until none waits.
    while !clients.isEmpty {
      var ended: Int?
      #expect(
        try bench.run {
          for index in clients.indices { try listen(index) }
          ended = clients.firstIndex { $0.asked.isEmpty }
          return ended != nil
        }, "all wait: a deadlock")
      clients.remove(at: ended ?? 0).client.leave()
    }
    let status = try bench.tool("last").readStatus()
    #expect(status.vms.isEmpty && status.bufferBytes == 0)
  }
}

extension BenchClient {
  fileprivate func sendAsk(_ id: UInt32, _ width: Int = 64, request: UInt64, waits: Bool = true) throws {
    try send(
      .createBuffer(
        CreateBuffer(
          bufferID: id, scanout: 0, generation: generation(), width: UInt32(width), height: 48, format: .xrgb8888,
          usage: .frame, waits: waits), request: request))
  }

  /// Requests a buffer; returns the immediate answer.
  fileprivate func ask(
    _ id: UInt32, _ width: Int = 64, request: UInt64, waits: Bool = true
  ) throws -> [ServerMessage] {
    try sendAsk(id, width, request: request, waits: waits)
    return try messages()
  }
}

extension [ServerMessage] {
  fileprivate var buffers: [UInt32] {
    compactMap { if case .buffer(let reply, _) = $0 { reply.bufferID } else { nil } }
  }

  fileprivate var refusals: [ErrorMessage] {
    compactMap { if case .error(let error, _) = $0 { error } else { nil } }
  }
}
