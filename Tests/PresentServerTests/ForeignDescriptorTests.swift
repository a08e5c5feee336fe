import DaemonSettings
import Glibc
import LinuxIO
import PresentProtocol
import ServerSupport
import StatusModel
import TestSupport
import Testing

@testable import PresentServer

/// What a client sends beside a message may be a file whose `close` waits for as long as the client wants.
@Suite("A client's descriptors cannot stop the daemon")
struct ForeignDescriptorTests {
  private static func bench(patienceMilliseconds: Int32 = 60_000) throws -> Bench {
    var options = ServerOptions()
    options.closePatienceMilliseconds = patienceMilliseconds
    return try Bench(options: options)
  }

  /// The number of descriptors whose `close` waits.
  private func waiting(_ bench: Bench) -> Int { bench.server?.clients.users.closingCount ?? 0 }

  /// Expects that another client is served while the closing waits, and that it ends once the socket is read from.
  private func expectService(_ bench: Bench, _ sockets: [LingeringSocket]) throws {
    let other = try bench.client("other")
    #expect(try other.readStatus().vms.contains { $0.name == "other" })
    #expect(waiting(bench) > 0)
    #expect(
      try bench.run {
        for socket in sockets { socket.drain() }
        return waiting(bench) == 0
      })
  }

  @Test(arguments: [1, 64, 65, 253])
  func `a socket that lingers beside a message costs other clients nothing`(count: Int) throws {
    let bench = try Self.bench()
    let client = try bench.client()
    let socket = try LingeringSocket(lingerSeconds: 30)
    let spare = try EventFD()
    // The last one, also of more than a message may have.
    let fds = Array(repeating: spare.fd.raw, count: count - 1) + [socket.descriptor]
    let raw = try #require(client.connectionForFlooding).descriptor
    let message: [UInt32] = [6, 24, 0, 0, 0, 0]  // DISABLE of scanout 0
    try Self.send(message, fds, to: raw)
    socket.letGo()
    try bench.settle()
    try expectService(bench, [socket])
  }

  @Test func `a socket that lingers in a message that is never read costs other clients nothing`() throws {
    let bench = try Self.bench()
    let stranger = try UnixSocket.connect(bench.path, .seqpacket)
    let socket = try LingeringSocket(lingerSeconds: 30)
    try Self.send([1], [], to: stranger.fd.raw)
    try Self.send([1], [socket.descriptor], to: stranger.fd.raw)
    socket.letGo()
    try bench.settle()
    #expect(bench.lines.count == 1)
    try expectService(bench, [socket])
  }

  @Test func `a socket that lingers in a connection that is ended costs other clients nothing`() throws {
    let bench = try Self.bench()
    let client = try bench.client()
    let socket = try LingeringSocket(lingerSeconds: 30)
    let raw = try #require(client.connectionForFlooding).descriptor
    // More than is read at once, so that the connection ends with unread messages.
    for _ in 0..<100 { try Self.send([6, 24, 0, 0, 0, 0], [], to: raw) }
    try Self.send([6, 24, 0, 0, 0, 0], [socket.descriptor], to: raw)
    socket.letGo()
    bench.server?.sessions.first?.close("ended by the test")
    try expectService(bench, [socket])
  }

  @Test func `a wait in close that a signal can end is ended`() throws {
    let bench = try Self.bench(patienceMilliseconds: 20)
    let client = try bench.client()
    let socket = try LingeringSocket(lingerSeconds: 3600)
    try client.send(.disable(scanout: 0), fds: [socket.descriptor])
    socket.letGo()
    try bench.settle()
    #expect(try bench.run { waiting(bench) == 0 })
    #expect(!client.isEnded)
  }

  @Test func `a client with too many descriptors that cannot be closed is ended, and its user is kept out`() throws {
    var options = ServerOptions()
    options.closePatienceMilliseconds = 60_000
    options.limits.unclosedPerClient = 2
    options.limits.unclosedPerUser = 4
    let bench = try Bench(options: options)
    let client = try bench.client()
    let sockets = try (0..<4).map { _ in try LingeringSocket(lingerSeconds: 30) }
    for socket in sockets {
      try client.send(.disable(scanout: 0), fds: [socket.descriptor])
      socket.letGo()
    }
    try client.send(.disable(scanout: 0))
    #expect(try client.ends())
    #expect(bench.lines.last == "vm (process \(getpid())): refused: more than 2 of its descriptors cannot be closed")
    let next = try bench.stranger()
    #expect(
      try next.messages().contains {
        if case .error(let error, request: 0) = $0 { error.code == .limit } else { false }
      })
    #expect(try next.ends())
    #expect(
      try bench.run {
        for socket in sockets { socket.drain() }
        return waiting(bench) == 0
      })
    #expect(try bench.client("later").generation() == 1)
  }

  @Test func `the descriptors of a client are counted until they are closed`() throws {
    let bench = try Bench()
    let client = try bench.client()
    let user = try #require(bench.server?.clients.users.user(getuid()))
    // Its connection and its scanout.
    #expect(user.descriptors.openCount == 2)
    let memory = try MemFD.create(name: "test", byteCount: 4096)
    let event = try EventFD()
    for _ in 0..<20 { try client.send(.disable(scanout: 0), fds: [memory.raw, event.fd.raw]) }
    #expect(try bench.run { user.descriptors.openCount == 2 })
    #expect(!client.isEnded)
    client.leave()
    #expect(try bench.run { user.descriptors.openCount == 0 })
  }

  @Test func `memory is closed after the round in which it was let go of, when its mappings are gone too`() throws {
    let loop = try EventLoop()
    let closer = DescriptorCloser()
    let account = DescriptorAccount(closer)
    do {
      let memory = try MemFD.create(name: "test", byteCount: 4096).owned(by: account)
      #expect(account.openCount == 1)
      _ = memory.raw
    }
    try loop.idle(milliseconds: 20)
    #expect((account.openCount, account.closingCount) == (1, 0))
    closer.endRound()
    #expect(try loop.wait { account.openCount == 0 })
  }

  /// Sends a packet; SCM_RIGHTS with more descriptors than the library sends.
  private static func send(_ words: [UInt32], _ fds: [Int32], to socket: Int32) throws {
    let sent = words.withUnsafeBytes { bytes in
      var part = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      let space = (16 + fds.count * 4 + 7) & ~7
      let control = UnsafeMutableRawPointer.allocate(byteCount: space, alignment: 8)
      defer { control.deallocate() }
      // struct cmsghdr: its length, SOL_SOCKET, SCM_RIGHTS, then the descriptors.
      control.storeBytes(of: 16 + fds.count * 4, as: Int.self)
      for (index, number) in ([SOL_SOCKET, 1] + fds).enumerated() {
        control.storeBytes(of: number, toByteOffset: 8 + index * 4, as: Int32.self)
      }
      return withUnsafeMutablePointer(to: &part) { part in
        var message = msghdr()
        message.msg_iov = part
        message.msg_iovlen = 1
        if !fds.isEmpty {
          message.msg_control = control
          message.msg_controllen = space
        }
        return sendmsg(socket, &message, 0)
      }
    }
    try #require(sent == words.count * 4)
  }
}
