import DaemonSettings
import GraphicsMemory
import LinuxIO
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import Testing

@Suite("A faulty client ends alone")
struct ClientFaultTests {
  /// Makes a client break a rule while another one shows a picture; returns the daemon's last error to it.
  private func fault(
    _ act: (BenchClient) throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> ErrorMessage? {
    let bench = try Bench([FakeOutput("good"), FakeOutput("bad")])
    let good = try bench.client("good", outputs: ["good"])
    try good.makeBuffer(1)
    try good.present(1, 1)
    bench.output.vblank()
    _ = try good.messages()
    let bad = try bench.client("bad")
    try bad.makeBuffer(1)
    let linesBefore = bench.lines.count
    try act(bad)
    let messages = try bad.messages()
    #expect(try bad.ends(), sourceLocation: sourceLocation)
    #expect(bench.lines.count == linesBefore + 1, sourceLocation: sourceLocation)
    // The other client continues.
    try good.present(2, 1)
    bench.output.vblank()
    #expect(try good.messages() == [done(2, .flipped, 102)], sourceLocation: sourceLocation)
    guard case .error(let error, request: _)? = messages.last else { return nil }
    return error
  }

  @Test func `a second HELLO ends the client alone`() throws {
    let error = try fault { try $0.send(.hello(Hello(kind: .vm, name: "x", scanoutCount: 0))) }
    #expect(error?.code == .malformed)
  }

  @Test func `presenting a buffer that was never made ends the client alone`() throws {
    #expect(try fault { try $0.present(1, 77) }?.code == .noSuchBuffer)
    #expect(try fault { try $0.setCursor(1, 0, 0) }?.code == .noSuchBuffer)
  }

  @Test func `a source rectangle outside the buffer ends the client alone`() throws {
    #expect(try fault { try $0.present(1, 1, source: Rect(x: 1, y: 0, width: 64, height: 48)) }?.code == .malformed)
    let huge = Rect(x: Int(Int32.max), y: 0, width: Int(UInt32.max), height: 1)
    #expect(try fault { try $0.present(1, 1, source: huge) }?.code == .malformed)
  }

  @Test func `more copied bytes than any frame can have end the client alone`() throws {
    let most = PresentLimits.copiedByteCount
    #expect(try fault { try $0.present(1, 1, copiedBytes: most + 1) }?.code == .malformed)
    #expect(try fault { try $0.present(1, 1, copiedBytes: .max) }?.code == .malformed)
  }

  @Test func `the largest numbers of copies that PRESENT can have stay countable while the daemon copies too`() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile\"")
    let client = try bench.client()
    try client.makeBuffer(1)
    let (most, frames) = (PresentLimits.copiedByteCount, UInt64(3))
    for frame in 1...frames {
      try client.send(
        .present(
          Present(
            scanout: 0, generation: client.generation(), frame: frame, bufferID: 1, source: Rect(width: 64, height: 48),
            path: .copy, copies: .max, copiedBytes: most)))
      _ = try bench.run { bench.output.isCommitPending }
      bench.output.vblank()
    }
    let scanout = try #require(try client.readStatus().vms.first?.scanouts.first)
    #expect(scanout.cpuCopies == frames * UInt64(UInt32.max) + frames)
    #expect(scanout.copiedBytes == frames * most + frames * 64 * 48 * 4)
  }

  @Test func `text from a client cannot control a terminal or forge a log line`() throws {
    let bench = try Bench()
    let wishes = ["\u{1b}[2J\nframepathd: forged", "\u{9b}2J", "\u{202e}gro", "a\u{2028}b", "Bücher"]
    for (index, wish) in wishes.enumerated() {
      let client = try bench.stranger()
      try client.send(.hello(Hello(kind: .vm, name: "vm\(index)", scanoutCount: 1, outputs: [wish])))
      #expect(try client.ends())
    }
    #expect(bench.lines.count == wishes.count)
    let log = bench.lines.joined()
    let harmful = log.unicodeScalars.filter {
      [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
    }
    #expect(harmful.isEmpty)
    #expect(log.contains("\\u{1B}[2J\\u{A}framepathd: forged"))
    #expect(log.contains("Bücher"))
  }

  @Test func `names that look like another one, or like none, are refused`() throws {
    let bench = try Bench()
    let victim = try bench.client("B\u{fc}cher 1")
    let names = [
      "", " vm", "vm ", "v\u{202e}m", "v\u{200b}m", "v\u{ad}m", "v\u{9b}m", "v\u{2028}m", "v\u{a0}m", "a/b", "\u{e000}",
      "\n",
    ]
    for name in names {
      let client = try bench.stranger()
      try client.send(.hello(Hello(kind: .vm, name: name, scanoutCount: 1)))
      guard case .error(let error, request: 0)? = try client.messages().first else {
        Issue.record("\(name.debugDescription) is accepted")
        continue
      }
      #expect(error.code == .malformed && error.text.contains("use 1 to 63 bytes"))
    }
    // The same name in other code points.
    let double = try bench.stranger()
    try double.send(.hello(Hello(kind: .vm, name: "Bu\u{308}cher 1", scanoutCount: 1)))
    guard case .error(let error, request: 0)? = try double.messages().first else {
      Issue.record("a second client has the name")
      return
    }
    #expect(error.code == .nameTaken)
    #expect(!victim.isEnded)
  }

  @Test func `naming a scanout that the client does not have ends the client alone`() throws {
    #expect(try fault { try $0.present(1, 1, scanout: 1, generation: 1) }?.code == .malformed)
    #expect(try fault { try $0.send(.disable(scanout: 16)) }?.code == .malformed)
  }

  @Test func `using a buffer's name twice ends the client alone`() throws {
    let error = try fault { client in
      try client.send(
        .createBuffer(
          CreateBuffer(
            bufferID: 1, scanout: 0, generation: client.generation(), width: 4, height: 4, format: .xrgb8888,
            usage: .frame), request: 9))
    }
    #expect(error?.code == .malformed)
  }

  @Test func `bytes that are not a message end the client alone`() throws {
    let bench = try Bench()
    for bytes: [UInt8] in [[1], Array(repeating: 255, count: 64), Array(repeating: 0, count: 4000)] {
      let socket = try UnixSocket.connect(bench.path, .seqpacket)
      _ = try bytes.withUnsafeBytes { try socket.send($0) }
      try bench.settle()
      var buffer = [UInt8](repeating: 0, count: 400)
      var fds = ReceivedFDs()
      let first = try buffer.withUnsafeMutableBytes { try socket.receive(into: $0, fds: &fds, wait: false) }
      #expect(first == .bytes(280))
      #expect(buffer[0] == 136)
      #expect(buffer[16] == 2)
      let second = try buffer.withUnsafeMutableBytes { try socket.receive(into: $0, fds: &fds, wait: false) }
      #expect(second == .closed)
    }
    #expect(bench.lines.count == 3)
  }

  @Test func `another protocol version is refused with both numbers`() throws {
    let bench = try Bench()
    let socket = try UnixSocket.connect(bench.path, .seqpacket)
    // type 1, size 24, request 0, magic, version 1
    let hello: [UInt32] = [1, 24, 0, 0, 0x4854_5046, 1]
    _ = try hello.withUnsafeBytes { try socket.send($0) }
    try bench.settle()
    var buffer = [UInt8](repeating: 0, count: 400)
    var fds = ReceivedFDs()
    _ = try buffer.withUnsafeMutableBytes { try socket.receive(into: $0, fds: &fds, wait: false) }
    #expect(buffer[16] == 1)
    let text = String(decoding: buffer[24..<280].prefix { $0 != 0 }, as: UTF8.self)
    #expect(text == "the client has protocol version 1, this framepathd has version 3")
  }

  @Test func `a client that does not read its messages is dropped alone`() throws {
    var options = ServerOptions()
    options.limits.unreadMessages = 8
    let bench = try Bench(options: options)
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    for frame: UInt64 in 1...2000 {
      guard let connection = client.connectionForFlooding else { break }
      let frame = Present(
        scanout: 0, generation: client.generation(), frame: frame, bufferID: UInt32(frame % 2) + 1,
        source: Rect(width: 64, height: 48), path: .copy)
      guard (try? connection.send(.present(frame))) == true else { break }
      try bench.settle()
    }
    #expect(bench.lines.last?.contains("does not read its messages") == true)
    // Its output is free for the next one.
    let next = try bench.client("next")
    #expect(next.outputs[0]?.parked == false)
  }

  @Test func `a limit that is reached, or an import that fails, only refuses`() throws {
    var options = ServerOptions()
    options.memoryLimitBytes = 64 * 48 * 4 * 2 + 100
    let bench = try Bench(options: options)
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    func create(_ id: UInt32, _ width: UInt32, _ generation: UInt32) throws -> PresentErrorCode? {
      try client.send(
        .createBuffer(
          CreateBuffer(
            bufferID: id, scanout: 0, generation: generation, width: width, height: 48, format: .xrgb8888,
            usage: .frame), request: 50))
      guard case .error(let error, request: 50)? = try client.messages().last else { return nil }
      return error.code
    }
    let generation = client.generation()
    #expect(try create(3, 64, generation) == .noMemory)
    #expect(try create(3, 0, generation) == .refused)
    #expect(try create(3, 0xffff_ffff, generation) == .refused)
    #expect(try create(3, 64, generation + 1) == .stale)
    // A buffer destroyed while on screen counts until it has left.
    try client.present(1, 1)
    bench.output.vblank()
    try client.send(.destroyBuffer(1))
    #expect(try create(3, 64, generation) == .noMemory)
    try client.present(2, 2)
    bench.output.vblank()
    #expect(try create(3, 64, generation) == nil)
    try client.send(.destroyBuffer(99))
    _ = try client.messages()
    #expect(!client.isEnded)
  }
}
