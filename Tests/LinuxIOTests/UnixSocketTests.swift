import Glibc
import LinuxIO
import TestSupport
import Testing

@Suite("Unix sockets")
struct UnixSocketTests {
  @Test func `a message keeps its boundaries and brings its descriptors, close-on-exec`() throws {
    let pair = try UnixSocket.pair(.seqpacket)
    let memfd = try MemFD.create(name: "test", byteCount: 4096)
    let message: [UInt8] = [1, 2, 3, 4, 5]
    _ = try message.withUnsafeBytes { try pair.first.send($0, fds: [memfd.raw, memfd.raw]) }
    _ = try message.withUnsafeBytes { try pair.first.send($0) }

    var buffer = [UInt8](repeating: 0, count: 16)
    var fds = ReceivedFDs()
    let first = try buffer.withUnsafeMutableBytes { try pair.second.receive(into: $0, fds: &fds) }

    #expect(first == .bytes(5))
    #expect(Array(buffer[0..<5]) == message)
    #expect(fds.count == 2)
    #expect(try fds.take(0)?.byteCount() == 4096)
    #expect(fds.take(0)?.raw == nil)

    let second = try buffer.withUnsafeMutableBytes { try pair.second.receive(into: $0, fds: &fds) }
    #expect(second == .bytes(5))
    #expect(fds.count == 0)
  }

  @Test func `a message longer than the buffer is reported as truncated`() throws {
    let pair = try UnixSocket.pair(.seqpacket)
    _ = try [UInt8](repeating: 7, count: 32).withUnsafeBytes { try pair.first.send($0) }
    var buffer = [UInt8](repeating: 0, count: 16)
    var fds = ReceivedFDs()
    let result = try buffer.withUnsafeMutableBytes { try pair.second.receive(into: $0, fds: &fds) }
    #expect(result == .truncated)
  }

  @Test func `an empty socket would block, a closed one reports its end`() throws {
    let pair = try UnixSocket.pair(.seqpacket)
    let widow = try widowed(.seqpacket)
    var buffer = [UInt8](repeating: 0, count: 16)
    var fds = ReceivedFDs()

    let nothing = try buffer.withUnsafeMutableBytes { try pair.second.receive(into: $0, fds: &fds, wait: false) }
    let closed = try buffer.withUnsafeMutableBytes { try widow.receive(into: $0, fds: &fds, wait: false) }

    #expect(nothing == .wouldBlock)
    #expect(closed == .closed)
  }

  /// The kernel gives ECONNRESET before the answer if a connection is closed with unread messages.
  @Test func `the peer of a connection that an account closes reads the answer, whatever it sent besides`() throws {
    let pair = try UnixSocket.pair(.seqpacket)
    let client = pair.first
    let account = DescriptorAccount(DescriptorCloser())
    let memory = try MemFD.create(name: "test", byteCount: 4096)
    for count in 1...3 {
      _ = try [UInt8](repeating: 7, count: count).withUnsafeBytes { try client.send($0, fds: [memory.raw]) }
    }
    try answerAndClose(pair.second.owned(by: account))
    #expect(try EventLoop().wait { account.openCount == 0 })

    var buffer = [UInt8](repeating: 0, count: 16)
    var fds = ReceivedFDs()
    let answer = try buffer.withUnsafeMutableBytes { try client.receive(into: $0, fds: &fds, wait: false) }
    let end = try buffer.withUnsafeMutableBytes { try client.receive(into: $0, fds: &fds, wait: false) }
    #expect(answer == .bytes(9))
    #expect(end == .closed)
  }

  private func answerAndClose(_ server: consuming UnixSocket) throws {
    _ = try [UInt8](repeating: 1, count: 9).withUnsafeBytes { try server.send($0) }
    server.shutDown()
  }

  @Test func `sending to a closed peer is an error, not a signal`() throws {
    let widow = try widowed(.stream)
    let error = #expect(throws: SystemError.self) {
      try [UInt8](repeating: 0, count: 8).withUnsafeBytes { _ = try widow.send($0) }
    }
    #expect(error?.code == 32)
  }

  @Test func `a listener reads its peer's credentials from the kernel`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.sock"
    let listener = try UnixSocket.listen(path, .seqpacket)
    try listener.fd.setNonblocking()
    #expect(try listener.accept()?.fd.raw == nil)
    let client = try UnixSocket.connect(path, .seqpacket)
    #expect(try listener.accept()?.peerCredentials().pid == currentProcessID())
    #expect(client.fd.raw >= 0)
    #expect(throws: SystemError.self) { _ = try UnixSocket.listen(path, .seqpacket) }
  }

  @Test func `connecting to a listener that does not accept fails in bounded time`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.sock"
    let listener = try UnixSocket.listen(path, .seqpacket)
    // The shortest possible queue: one connection waits.
    try #require(Glibc.listen(listener.fd.raw, 0) == 0)
    let first = try UnixSocket.connect(path, .seqpacket)

    for timeout in [0, 50] {
      let begun = monotonicNanoseconds()
      let error = #expect(throws: SystemError.self) {
        _ = try UnixSocket.connect(path, .seqpacket, timeoutMilliseconds: timeout)
      }
      #expect(error?.isBusy == true)
      #expect(monotonicNanoseconds() - begun >= UInt64(timeout) * 1_000_000)
    }

    #expect(try listener.accept()?.fd.raw != nil)
    let second = try UnixSocket.connect(path, .seqpacket, timeoutMilliseconds: 0)
    #expect(first.fd.raw != second.fd.raw)
  }

  @Test
  func `a socket file of a killed process is replaced, one that is served is not, and its server sees no connection`()
    throws
  {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.sock"
    do { _ = try UnixSocket.listen(path, .stream) }
    let listener = try UnixSocket.listenReplacing(path)
    try listener.fd.setNonblocking()

    let error = #expect(throws: SystemError.self) { _ = try UnixSocket.listenReplacing(path) }

    #expect(error?.code == 98)
    #expect(try listener.accept()?.fd.raw == nil)
    let client = try UnixSocket.connect(path, .stream)
    #expect(try listener.accept()?.fd.raw != nil)
    #expect(client.fd.raw >= 0)
  }

  @Test func `a file that is not a socket is not replaced`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.txt"
    try LinuxFile.replace(path, with: Array("kept".utf8))
    #expect(throws: SystemError.self) { _ = try UnixSocket.listenReplacing(path) }
    #expect(try LinuxFile.read(path) == Array("kept".utf8))
  }

  @Test func `a path too long for a socket address is refused with its limit`() {
    let path = "/tmp/" + String(repeating: "x", count: 200)
    #expect(throws: SystemError(call: "socket path", code: 36, subject: "\(path) (107 bytes at most)")) {
      _ = try UnixSocket.connect(path, .stream)
    }
  }

  /// A socket whose other end is closed.
  private func widowed(_ kind: UnixSocket.Kind) throws -> UnixSocket {
    let pair = try UnixSocket.pair(kind)
    return UnixSocket(taking: try pair.first.fd.duplicate())
  }
}
