import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import TestSupport
import Testing

/// A client on a loop, with its events.
private final class Listener {
  let loop: EventLoop
  let client: PresentClient
  private final class Notes { var events: [PresentEvent] = [] }
  private let notes = Notes()
  var events: [PresentEvent] { notes.events }

  init(_ path: String, name: String = "vm") throws {
    loop = try EventLoop()
    client = try PresentClient(loop: loop, path: path, hello: Hello(kind: .vm, name: name, scanoutCount: 1))
    client.onEvent = { [notes] in notes.events.append($0) }
  }

  /// Runs the loop until the condition holds, 10 s at most.
  func wait(_ condition: ([PresentEvent]) -> Bool) throws -> Bool {
    try loop.wait { condition(events) }
  }

  /// Waits for a scanout's output.
  func waitForOutput() throws -> Bool { try wait { _ in client.output(0) != nil } }

  func forget() { notes.events = [] }

  var flippedFrames: [UInt64] {
    events.compactMap { if case .frameDone(let done) = $0, done.outcome == .flipped { done.frame } else { nil } }
  }

  func count(_ matches: (PresentEvent) -> Bool) -> Int { events.count(where: matches) }
}

private func isLost(_ event: PresentEvent) -> Bool { if case .lost = event { true } else { false } }

@Suite("The client library")
struct PresentClientTests {
  private func frame(_ number: UInt64, _ id: UInt32) -> PresentFrame {
    PresentFrame(scanout: 0, frame: number, bufferID: id, source: Rect(width: 64, height: 48), path: .copy)
  }

  @Test func `the client library shows frames and reports flips and releases, and tools see them`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    let server = try ServerThread(path: path)
    let listener = try Listener(path)
    try listener.client.start()
    #expect(try listener.waitForOutput())
    let first = try listener.client.createBuffer(scanout: 0, width: 64, height: 48, format: .xrgb8888)
    let second = try listener.client.createBuffer(scanout: 0, width: 64, height: 48, format: .argb8888)
    first.mapped.fill(0x0a0b0c)
    #expect(listener.client.present(frame(1, first.id)))
    #expect(try listener.wait { _ in listener.flippedFrames == [1] })
    let snapshot = try PresentTool.snapshot(.vm(name: "vm", scanout: 0), path: PresentSocket.controlPath(beside: path))
    #expect(snapshot.mapped.color(63, 47) == 0x0a0b0c)
    #expect(!snapshot.fromWriteback)
    #expect(listener.client.present(frame(2, second.id)))
    #expect(
      try listener.wait {
        if case .released(bufferID: first.id, scanout: 0)? = $0.last { true } else { false }
      })
    #expect(listener.flippedFrames == [1, 2])
    #expect(
      try PresentTool.status(path: PresentSocket.controlPath(beside: path)).scanout(ofVM: "vm")?.framesFlipped == 2)
    #expect(!listener.client.present(frame(3, 99)))
    let error = #expect(throws: PresentClientError.self) {
      try PresentTool.snapshot(.output(name: "DP-1"), path: PresentSocket.controlPath(beside: path))
    }
    #expect(error?.description == "there is no output DP-1; there are: headless-0")
    listener.client.stop()
    try server.stop()
  }

  @Test func `a frame of the client's own pages is shown without a copy`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    let server = try ServerThread(path: path)
    let listener = try Listener(path)
    try listener.client.start()
    #expect(try listener.waitForOutput())
    let layout = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    let memory = SharedFD(try MemFD.create(name: "guest", byteCount: 4 * pageByteCount))
    let mapped = try MappedBuffer(fd: memory, kind: .memfd, layout: layout, byteCount: layout.byteCount)
    // The picture's first page is the file's last one.
    let ranges = [3, 0, 1].map {
      MemoryRange(fd: memory.raw, offset: $0 * pageByteCount, byteCount: pageByteCount)
    }
    mapped.pixels.storeBytes(of: 0x00c0ffee, toByteOffset: 0, as: UInt32.self)
    let last = try Mapping(fd: memory.raw, offset: 3 * pageByteCount, byteCount: pageByteCount)
    last.bytes.storeBytes(of: 0x00bada55, as: UInt32.self)
    let id = try listener.client.importBuffer(scanout: 0, layout: layout, pages: .memfd(ranges))
    #expect(listener.client.present(frame(1, id)))
    #expect(try listener.wait { _ in listener.flippedFrames == [1] })
    let snapshot = try PresentTool.snapshot(.vm(name: "vm", scanout: 0), path: PresentSocket.controlPath(beside: path))
    #expect(snapshot.mapped.color(0, 0) == 0xbada55)
    #expect(snapshot.mapped.color(0, 16) == 0xc0ffee)
    #expect(throws: PresentClientError.self) {
      try listener.client.importBuffer(scanout: 0, layout: layout, pages: .memfd(Array(ranges.prefix(2))))
    }
    listener.client.stop()
    try server.stop()
  }

  @Test func `the client library starts without a daemon, finds it, loses it, and finds the next one`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    let listener = try Listener(path)
    try listener.client.start()
    #expect(throws: PresentClientError.self) {
      try listener.client.createBuffer(scanout: 0, width: 64, height: 48, format: .xrgb8888)
    }
    for round: UInt64 in 1...3 {
      let server = try ServerThread(path: path)
      let start = monotonicNanoseconds()
      #expect(try listener.waitForOutput())
      #expect(monotonicNanoseconds() - start < 5_000_000_000)
      let buffer = try listener.client.createBuffer(scanout: 0, width: 64, height: 48, format: .xrgb8888)
      listener.client.present(frame(round, buffer.id))
      #expect(try listener.wait { _ in listener.flippedFrames == [round] })
      try server.stop()
      #expect(try listener.wait { _ in listener.count(isLost) == 1 })
      #expect(!listener.client.isConnected)
      #expect(!listener.client.present(frame(round, buffer.id)))
      listener.forget()
    }
    listener.client.stop()
  }

  @Test func `a name in use is one event, tried again with growing pauses until it is free`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    let server = try ServerThread(path: path)
    let holder = try Listener(path)
    try holder.client.start()
    #expect(try holder.waitForOutput())
    let waiting = try Listener(path)
    try waiting.client.start()
    #expect(try waiting.wait { !$0.isEmpty })
    // Four more attempts.
    try waiting.loop.idle(milliseconds: 1_600)
    guard waiting.events.count == 1, case .refused(let refusal)? = waiting.events.first else {
      Issue.record("\(waiting.events)")
      return
    }
    #expect(refusal.message.code == .nameTaken && refusal.mayHeal)
    #expect(refusal.message.text.contains("is connected as vm"))
    holder.client.stop()
    #expect(try waiting.waitForOutput())
    waiting.client.stop()
    try server.stop()
  }

  @Test func `an idle connection costs nothing`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    let server = try ServerThread(path: path)
    let listener = try Listener(path)
    try listener.client.start()
    #expect(try listener.waitForOutput())
    #expect(try listener.loop.runOnce(timeoutMilliseconds: 250) == 0)
    listener.client.stop()
    try server.stop()
  }
}

/// A daemon whose messages a test writes.
private struct ScriptedDaemon {
  let connection: PresentConnection
  let listener: Listener

  init() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    try makeDirectory(String(path.dropLast("/framepathd.sock".count)))
    let socket = try UnixSocket.listen(path, .seqpacket)
    listener = try Listener(path)
    try listener.client.start()
    guard let accepted = try socket.accept() else { throw PresentProtocolError.closed }
    connection = try PresentConnection(accepted)
    removeFile(path)
    let output = OutputDescription(
      scanout: 0, generation: 1, connected: true, parked: false,
      mode: DisplayMode(width: 64, height: 48, refreshMillihertz: 60_000), memoryKind: .memfd, name: "X")
    try send(.welcome(Welcome(scanoutCount: 1, memoryLimitBytes: 1 << 20)))
    try send(.output(output))
    _ = try listener.waitForOutput()
  }

  func send(_ message: ServerMessage, fds: [Int32] = []) throws {
    let isSent = try connection.send(message, fds: fds)
    #expect(isSent)
  }

  /// The answer to the client's `request`-th request, sent before the request.
  func answerBuffer(_ id: UInt32, request: UInt64) throws {
    let fd = try MemFD.create(name: "buffer", byteCount: 64 * 48 * 4)
    let reply = BufferReply(
      bufferID: id, memoryKind: .memfd, width: 64, height: 48, strideBytes: 256, byteCount: 64 * 48 * 4)
    try send(.buffer(reply, request: request), fds: [fd.raw])
  }

  func received() throws -> [ClientMessage] {
    var result: [ClientMessage] = []
    var fds = ReceivedFDs()
    while let message = try connection.receiveClientMessage(fds: &fds) { result.append(message) }
    return result
  }
}

@Suite("The client library and a strange daemon")
struct StrangeDaemonTests {
  private func make(_ daemon: ScriptedDaemon) throws -> PresentBuffer {
    try daemon.listener.client.createBuffer(scanout: 0, width: 64, height: 48, format: .xrgb8888)
  }

  private func frame(_ number: UInt64, _ id: UInt32, _ damage: Damage = .full) -> PresentFrame {
    PresentFrame(
      scanout: 0, frame: number, bufferID: id, source: Rect(width: 64, height: 48), damage: damage, path: .copy)
  }

  @Test func `a daemon that does not answer costs 250 ms, and its late buffer is destroyed`() throws {
    let daemon = try ScriptedDaemon()
    let start = monotonicNanoseconds()
    #expect(throws: PresentClientError.timedOut) { try make(daemon) }
    let waited = monotonicNanoseconds() - start
    #expect(waited >= 250_000_000 && waited < 3_000_000_000)
    _ = try daemon.received()
    try daemon.answerBuffer(1, request: 1)
    try daemon.listener.loop.runOnce(timeoutMilliseconds: 1000)
    let answers = try daemon.received()
    guard case .destroyBuffer(1)? = answers.first else {
      Issue.record("no DESTROY_BUFFER")
      return
    }
  }

  @Test func `messages that come before an answer are delivered later, in order, by the loop`() throws {
    let daemon = try ScriptedDaemon()
    daemon.listener.forget()
    for frame: UInt64 in 1...3 { try daemon.send(.frameDone(FrameDone(scanout: 0, frame: frame, outcome: .flipped))) }
    try daemon.answerBuffer(1, request: 1)
    try daemon.send(.frameDone(FrameDone(scanout: 0, frame: 4, outcome: .flipped)))
    _ = try make(daemon)
    #expect(daemon.listener.events.isEmpty)
    #expect(try daemon.listener.wait { _ in daemon.listener.flippedFrames == [1, 2, 3, 4] })
  }

  @Test func `a daemon that does not read does not block the client, and the newest frame waits`() throws {
    let daemon = try ScriptedDaemon()
    try daemon.answerBuffer(1, request: 1)
    try daemon.answerBuffer(2, request: 2)
    let first = try make(daemon)
    let second = try make(daemon)
    let client = daemon.listener.client
    for number: UInt64 in 1...5000 {
      let row = Damage(Rect(x: 0, y: Int(number % 48), width: 64, height: 1))
      #expect(client.present(frame(number, number % 2 == 0 ? first.id : second.id, row)))
      client.setCursor(scanout: 0, bufferID: nil, x: Int(number), y: 0)
    }
    #expect(try daemon.listener.wait { $0.count { if case .frameDone = $0 { true } else { false } } > 4000 })
    #expect(client.isConnected)
    // Whatever was sent, the last frame and the last cursor arrive once the daemon reads again.
    var frames: [UInt64] = []
    var cursors: [Int32] = []
    for _ in 0..<200 {
      for message in try daemon.received() {
        if case .present(let present) = message { frames.append(present.frame) }
        if case .cursor(let cursor) = message { cursors.append(cursor.x) }
      }
      try daemon.listener.loop.runOnce(timeoutMilliseconds: 0)
    }
    #expect(frames.last == 5000)
    #expect(cursors.last == 5000)
    #expect(frames == frames.sorted())
    let superseded = daemon.listener.count {
      if case .frameDone(let done) = $0, done.outcome == .superseded { true } else { false }
    }
    #expect(superseded + frames.count == 5000)
  }

  @Test func `a release that crossed a newer present of its buffer is not delivered`() throws {
    let daemon = try ScriptedDaemon()
    try daemon.answerBuffer(1, request: 1)
    let buffer = try make(daemon)
    daemon.listener.client.present(frame(7, buffer.id))
    daemon.listener.forget()
    try daemon.send(.released(Released(bufferID: buffer.id, scanout: 0, frame: 6)))
    try daemon.send(.frameDone(FrameDone(scanout: 0, frame: 7, outcome: .flipped)))
    try daemon.send(.released(Released(bufferID: buffer.id, scanout: 0, frame: 7)))
    #expect(try daemon.listener.wait { $0.count == 2 })
    guard case .released(bufferID: buffer.id, scanout: 0)? = daemon.listener.events.last else {
      Issue.record("no release")
      return
    }
  }

  @Test func `buffers of the scanout are lost with its generation`() throws {
    let daemon = try ScriptedDaemon()
    try daemon.answerBuffer(1, request: 1)
    let buffer = try make(daemon)
    daemon.listener.forget()
    var output = try #require(daemon.listener.client.output(0))
    try daemon.send(.output(output))
    output.generation = 2
    try daemon.send(.output(output))
    #expect(try daemon.listener.wait { $0.count == 2 })
    let lost = daemon.listener.events.map { if case .output(_, buffersLost: let lost) = $0 { lost } else { false } }
    #expect(lost == [false, true])
    #expect(!daemon.listener.client.present(frame(1, buffer.id)))
  }

  @Test func `invalid messages from the daemon end the connection, and the client reconnects`() throws {
    let daemon = try ScriptedDaemon()
    _ = try daemon.connection.send(ClientMessage.status(request: 1))
    #expect(try daemon.listener.wait { $0.contains(where: isLost) })
    #expect(!daemon.listener.client.isConnected)
  }
}
