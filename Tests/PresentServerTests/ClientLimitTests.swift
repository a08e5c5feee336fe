import DaemonSettings
import Glibc
import GraphicsMemory
import LinuxIO
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import TestSupport
import Testing

@testable import PresentServer

@Suite("No client takes what others need")
struct ClientLimitTests {
  private func limitError(_ messages: [ServerMessage]) -> String? {
    for case .error(let error, request: 0) in messages where error.code == .limit { return error.text }
    return nil
  }

  @Test func `a connection without HELLO is ended after two seconds, and its place is free`() throws {
    var options = ServerOptions()
    options.limits.connections = 2
    let bench = try Bench(clock: HandClock(), options: options)
    let client = try bench.client()
    let mute = try bench.stranger()
    try bench.settle()
    try bench.advance(milliseconds: 1999)
    #expect(try mute.messages().isEmpty)
    #expect(!mute.isEnded)
    try bench.advance(milliseconds: 1)
    let text = "no HELLO within 2 seconds"
    #expect(try mute.messages() == [.error(ErrorMessage(code: .malformed, text: text), request: 0)])
    #expect(try mute.ends())
    #expect(!client.isEnded)
    try bench.advance(milliseconds: 5000)
    #expect(try client.readStatus().clients == 1)
    #expect(try bench.client("next").generation() == 1)
  }

  @Test func `a flood of connections is accepted, and refused, at the pace of connections`() throws {
    let bench = try Bench(clock: HandClock())
    let witness = try bench.client("witness")
    // 256 is the limit for a process.
    let clients = try (0..<900).map { _ in try PresentConnection.connect(bench.path, timeoutMilliseconds: 0) }
    var refused: Set<Int> = []
    func refusedCount() throws -> Int {
      var fds = ReceivedFDs()
      for (index, client) in clients.enumerated() where !refused.contains(index) {
        if try client.receiveServerMessage(fds: &fds) != nil { refused.insert(index) }
      }
      return refused.count
    }
    try bench.settle()
    let burst = try refusedCount()
    #expect((250..<265).contains(burst), "\(burst) refused at once")
    try bench.advance(milliseconds: 8)
    let later = try refusedCount() - burst
    #expect((16..<64).contains(later), "\(later) refused in 8 ms")
    #expect(try witness.readStatus().vms.count == 1)
    try bench.advance(milliseconds: 100)
    #expect(try refusedCount() == 900 - 255)
    #expect(!witness.isEnded)
  }

  @Test func `memory is given back half a second after the last of many scanouts has left`() throws {
    let clock = HandClock()
    let loop = try EventLoop()
    var count = 0
    let memory = try FreedMemory(loop: loop, clock: PresentClock(clock)) { count += 1 }
    memory.left(63)
    #expect(!clock.fireNext(until: .max))
    for _ in 0..<3 {
      memory.left(16)
      clock.advance(nanoseconds: 499_000_000) {}
      #expect(count == 0)
    }
    clock.advance(nanoseconds: 1_000_000) {}
    #expect(count == 1)
    memory.left(63)
    #expect(!clock.fireNext(until: .max))
  }

  @Test func `nothing is left to wake the daemon once every connection has sent HELLO or is gone`() throws {
    let clock = HandClock()
    let bench = try Bench(clock: clock)
    _ = try bench.client()
    #expect(!clock.fireNext(until: .max))
    let mute = try bench.stranger()
    try bench.settle()
    mute.leave()
    try bench.settle()
    #expect(!clock.fireNext(until: .max))
  }

  @Test func `clients beyond the limit get an error with it, and tools still get in`() throws {
    var options = ServerOptions()
    options.limits.connections = 3
    let bench = try Bench(options: options)
    let clients = try (0..<3).map { try bench.client("vm\($0)") }
    let late = try bench.stranger()
    try late.send(.hello(Hello(kind: .vm, name: "late", scanoutCount: 1)))
    #expect(try limitError(late.messages()) == "the daemon has 3 clients; the limit is 3")
    #expect(try late.ends())
    let status = try bench.readStatus()
    #expect((status.clients, status.clientLimit) == (3, 3))
    // A client that leaves makes room.
    clients[0].leave()
    try bench.settle()
    #expect(try bench.client("next").outputs.count == 1)
  }

  @Test func `tools have a limit of their own, and the daemon's user has places beyond it`() throws {
    var options = ServerOptions()
    options.limits.controlConnections = 1
    let bench = try Bench(options: options)
    // Root has places of its own besides those of the daemon's user.
    let places = 1 + 16 * (getuid() == 0 ? 2 : 1)
    let tools = try (0..<places).map { _ in try bench.tool() }
    for tool in tools { #expect(try tool.readStatus().clients == 0) }
    let last = BenchClient(try PresentConnection.connect(bench.controlPath), bench)
    let text = "the daemon has \(places) tools; the limit for user \(geteuid()) is \(places)"
    #expect(try limitError(last.messages()) == text)
    #expect(try last.ends())
    #expect(try bench.client().outputs.count == 1)
  }

  @Test func `limits are settings, and a lower one holds for what comes then`() throws {
    let bench = try Bench(clock: HandClock())
    let first = try bench.client("first")
    for id: UInt32 in 1...3 { try first.makeBuffer(id) }
    try bench.server?.apply(
      "[clients]\nbuffers-per-client = 2\nconnections = 2\nhello-time = 5\nscanouts-per-user = 2\nsnapshot-size = 8192")
    func refusal(_ create: UInt32) throws -> String? {
      try first.send(
        .createBuffer(
          CreateBuffer(
            bufferID: create, scanout: 0, generation: first.generation(), width: 4, height: 4, format: .xrgb8888,
            usage: .frame), request: 1))
      guard case .error(let error, _)? = try first.messages().last else { return nil }
      return error.text
    }
    #expect(try refusal(4) == "a client may hold at most 2 buffers")
    try first.send(.snapshot(.vm(name: "first", scanout: 0), request: 2))
    _ = try first.messages()
    let wide = try bench.stranger()
    try wide.send(.hello(Hello(kind: .vm, name: "wide", scanoutCount: 2)))
    #expect(try limitError(wide.messages())?.hasSuffix("have 1 scanouts; the limit for a user is 2") == true)
    #expect(try wide.ends())
    let mute = try bench.stranger()
    try bench.settle()
    #expect(try limitError(bench.stranger().messages()) == "the daemon has 2 clients; the limit is 2")
    try bench.advance(milliseconds: 4999)
    #expect(!mute.isEnded)
    try bench.advance(milliseconds: 1)
    #expect(
      try mute.messages() == [.error(ErrorMessage(code: .malformed, text: "no HELLO within 5 seconds"), request: 0)])
    #expect(try bench.readStatus().clientLimit == 2)
    #expect(!first.isEnded)
  }

  @Test func `more descriptors than the process may open are refused with the maximum`() throws {
    let bench = try Bench()
    var told = ""
    do { try bench.server?.apply("[clients]\nconnections = 9\ndescriptors = 1048576") } catch { told = "\(error)" }
    let most = try #require(bench.server?.clients.users.mostDescriptors)
    #expect(
      told == "line 3: the daemon cannot open 1048576 descriptors for clients; the maximum is \(most) (RLIMIT_NOFILE)")
    #expect(bench.server?.limits.connections == 512)
    try bench.server?.apply("[clients]\ndescriptors = 64\nlog-burst = 1\nlog-rate = 1")
    // An eighth of the descriptors.
    #expect(try bench.readStatus().clientLimit == 8)
  }

  @Test func `a process has no more connections than the limit for one`() throws {
    var options = ServerOptions()
    options.limits.connectionsPerProcess = 2
    let bench = try Bench(options: options)
    let clients = try (0..<2).map { try bench.client("vm\($0)") }
    let third = try bench.stranger()
    #expect(try limitError(third.messages()) == "process \(getpid()) has 2 connections, the limit for a process")
    #expect(try third.ends())
    clients[1].leave()
    try bench.settle()
    #expect(try bench.client("next").outputs.count == 1)
  }

  @Test func `a user has no more scanouts than the limit for one`() throws {
    var options = ServerOptions()
    options.limits.scanoutsPerUser = 20
    let bench = try Bench(options: options)
    let first = try bench.client("first", scanouts: 16)
    let second = try bench.stranger()
    try second.send(.hello(Hello(kind: .vm, name: "second", scanoutCount: 5)))
    let text = "the clients of user \(geteuid()) have 16 scanouts; the limit for a user is 20"
    #expect(try limitError(second.messages()) == text)
    #expect(try second.ends())
    #expect(try bench.client("third", scanouts: 4).outputs.count == 4)
    first.leave()
    try bench.settle()
    #expect(try bench.client("fourth", scanouts: 16).outputs.count == 16)
  }

  @Test func `scanouts that wait for an output in use cost nothing when others come and go`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let holder = try bench.client("holder", outputs: ["A"])
    // An answer about an output is counted by what is read of it.
    func readsPerVisit() throws -> Int {
      let before = bench.outputs.reduce(0) { $0 + $1.infoReads }
      for _ in 0..<10 {
        let guest = try bench.client("guest")
        guest.leave()
        try bench.settle()
      }
      return (bench.outputs.reduce(0) { $0 + $1.infoReads } - before) / 10
    }
    let alone = try readsPerVisit()
    let waiting = try (0..<30).map {
      try bench.client("waiting\($0)", scanouts: 16, outputs: Array(repeating: "A", count: 16))
    }
    #expect(try readsPerVisit() <= alone + 2)
    // They are placed in the order in which they came.
    holder.leave()
    try bench.settle()
    #expect(
      try waiting[0].messages().contains { if case .output(let output) = $0 { output.name == "A" } else { false } })
    #expect(try waiting[1].messages().isEmpty)
  }

  @Test func `a flood of log lines about one user's clients is cut, and the next line tells by how many`() throws {
    // Connections have a pace, so that some time passes.
    var options = ServerOptions()
    options.limits.logRate = 1
    let bench = try Bench(clock: HandClock(), options: options)
    func knock(_ number: Int) throws {
      let client = try bench.stranger()
      try client.send(.hello(Hello(kind: .vm, name: "vm\(number)", scanoutCount: 1, outputs: ["nowhere"])))
      #expect(try client.ends())
    }
    for number in 0..<1100 { try knock(number) }
    let count = bench.lines.count
    #expect(count >= 1024 && count < 1100)
    try bench.advance(milliseconds: 1000)
    try knock(1100)
    #expect(bench.lines.count == count + 2)
    #expect(bench.lines[count] == "clients of user \(geteuid()): \(1100 - count) lines left out")
  }

  /// Imports a picture of one page from its own memfd; returns the answer.
  private func importPage(_ client: BenchClient, _ id: UInt32) throws -> ServerMessage? {
    let memory = try MemFD.create(name: "page", byteCount: pageByteCount)
    let list = try ImportRanges.list([ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: pageByteCount)])
    let layout = try #require(FrameLayout(width: 4, height: 4, strideBytes: 16, format: .xrgb8888))
    try client.send(
      .importBuffer(
        ImportBuffer(
          bufferID: id, scanout: 0, generation: client.generation(), layout: layout, modifier: 0, memoryKind: .memfd,
          rangeCount: 1), request: UInt64(id)), fds: [list.raw, memory.raw])
    return try client.messages().last
  }

  private func refusal(_ message: ServerMessage?) -> String? {
    guard case .error(let error, _)? = message, error.code == .noMemory else { return nil }
    return error.text
  }

  @Test func `a client holds no more descriptors than the limit, and may continue with fewer`() throws {
    var options = ServerOptions()
    options.limits.descriptorsPerClient = 60
    let bench = try Bench(options: options)
    let client = try bench.client()
    // The connection, the scanout, and two for each buffer: the memory that was sent, and the daemon's own descriptor.
    var made: UInt32 = 0
    var answer: ServerMessage?
    while made < 100 {
      answer = try importPage(client, made + 1)
      guard case .buffer? = answer else { break }
      made += 1
    }
    #expect(made == 29)
    #expect(refusal(answer) == "the client holds 62 descriptors; the limit is 60")
    #expect(!client.isEnded)
    let other = try bench.client("other")
    guard case .buffer? = try importPage(other, 1) else {
      Issue.record("another client is refused")
      return
    }
    try client.send(.destroyBuffer(1))
    try client.send(.destroyBuffer(2))
    try bench.settle()
    let session = try #require(bench.server?.sessions.first)
    #expect(session.descriptors.heldCount == 56)
    guard case .buffer? = try importPage(client, 1) else {
      Issue.record("refused")
      return
    }
  }

  @Test func `a shortage of descriptors is told to those who hold many, and every client may have some`() throws {
    var options = ServerOptions()
    options.limits.descriptors = 80
    let bench = try Bench(options: options)
    let greedy = try bench.client("greedy")
    var made: UInt32 = 0
    var answer: ServerMessage?
    while made < 100 {
      answer = try importPage(greedy, made + 1)
      guard case .buffer? = answer else { break }
      made += 1
    }
    #expect(made >= 16)
    #expect(refusal(answer)?.hasPrefix("all clients hold 8") == true)
    let modest = try bench.client("modest")
    for id: UInt32 in 1...10 {
      guard case .buffer? = try importPage(modest, id) else {
        Issue.record("the other client is refused")
        return
      }
    }
    #expect(!greedy.isEnded)
  }

  @Test func `a client that does not read gets few descriptors at once, and the others as it reads`() throws {
    let bench = try Bench()
    let client = try bench.client()
    for id: UInt32 in 1...200 {
      try client.send(
        .createBuffer(
          CreateBuffer(
            bufferID: id, scanout: 0, generation: client.generation(), width: 4, height: 4, format: .xrgb8888,
            usage: .frame), request: UInt64(id)))
      if id % 50 == 0 { try bench.settle() }
    }
    try bench.settle()
    let connection = try #require(client.connectionForFlooding)
    var fds = ReceivedFDs()
    var first = 0
    while try connection.receiveServerMessage(fds: &fds) != nil { first += 1 }
    #expect(first == 16)
    var rest: [UInt64] = []
    #expect(
      try bench.run {
        for case .buffer(_, let request) in try client.messages() { rest.append(request) }
        return rest.count == 184
      })
    #expect(rest == Array(17...200))
  }
}
