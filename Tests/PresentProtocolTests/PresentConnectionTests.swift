import GraphicsMemory
import LinuxIO
import PresentProtocol
import Scanout
import Testing

@Suite("A connection")
struct PresentConnectionTests {
  private func connections() throws -> (PresentConnection, PresentConnection) {
    let pair = try UnixSocket.pair(.seqpacket)
    return (
      try PresentConnection(UnixSocket(taking: pair.first.fd.duplicate())),
      try PresentConnection(UnixSocket(taking: pair.second.fd.duplicate()))
    )
  }

  @Test func `messages and their descriptors arrive in order`() throws {
    let (client, daemon) = try connections()
    var fds = ReceivedFDs()
    #expect(try daemon.receiveClientMessage(fds: &fds).map { _ in true } == nil)
    let file = try MemFD.create(name: "test", byteCount: 4096)
    #expect(try client.send(.status(request: 1)))
    #expect(try client.send(.status(request: 2), fds: [file.raw, file.raw]))
    guard case .status(request: 1)? = try daemon.receiveClientMessage(fds: &fds) else {
      Issue.record("not the first message")
      return
    }
    #expect(fds.count == 0)
    guard case .status(request: 2)? = try daemon.receiveClientMessage(fds: &fds) else {
      Issue.record("not the second message")
      return
    }
    #expect(fds.count == 2)
  }

  @Test func `the daemon's messages of one round are one packet, with the bytes of each in order`() throws {
    let pair = try UnixSocket.pair(.seqpacket)
    let daemon = try PresentConnection(UnixSocket(taking: pair.first.fd.duplicate()))
    let (done, released) = (
      ServerMessage.frameDone(
        FrameDone(scanout: 1, frame: 2, outcome: .flipped, timeNanoseconds: 3, sequence: 4)),
      ServerMessage.released(Released(bufferID: 5, scanout: 1, frame: 6))
    )
    #expect(daemon.add(done))
    #expect(daemon.add(released))
    #expect(try daemon.flush())
    let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 16)
    defer { space.deallocate() }
    var fds = ReceivedFDs()
    #expect(try pair.second.receive(into: space, fds: &fds) == .bytes(48 + 32))
    #expect([space[0], space[4], space[48], space[52]] == [132, 48, 133, 32])

    let client = try PresentConnection(UnixSocket(taking: pair.second.fd.duplicate()))
    #expect(daemon.add(done))
    #expect(daemon.add(released))
    #expect(try daemon.send(.statusReply(byteCount: 7, request: 8)))
    #expect(try client.receiveServerMessage(fds: &fds) == done)
    #expect(client.hasUnread)
    #expect(try client.receiveServerMessage(fds: &fds) == released)
    #expect(!client.hasUnread)
    #expect(try client.receiveServerMessage(fds: &fds) == .statusReply(byteCount: 7, request: 8))
    #expect(try client.receiveServerMessage(fds: &fds) == nil)
  }

  @Test func `a full packet reports it, and keeps what fits`() throws {
    let (client, daemon) = try connections()
    let released = ServerMessage.released(Released(bufferID: 5, scanout: 1, frame: 6))
    var kept = 0
    while daemon.add(released) { kept += 1 }
    #expect(kept == 2048 / 32)
    #expect(try daemon.flush())
    var fds = ReceivedFDs()
    for _ in 0..<kept { #expect(try client.receiveServerMessage(fds: &fds) == released) }
    #expect(try client.receiveServerMessage(fds: &fds) == nil)
  }

  @Test func `the end of the connection and a full socket are values`() throws {
    let (client, daemon) = try connections()
    var sent = 0
    while try client.send(.status(request: 1)) { sent += 1 }
    #expect(sent > 0)
    var fds = ReceivedFDs()
    for _ in 0..<sent { _ = try daemon.receiveClientMessage(fds: &fds) }
    #expect(try client.send(.status(request: 1)))
  }

  @Test func `sending throws closed once the other end is gone`() throws {
    let daemon = try connections().1
    var fds = ReceivedFDs()
    #expect(throws: PresentProtocolError.closed) { try daemon.receiveClientMessage(fds: &fds) }
    #expect(throws: PresentProtocolError.closed) { try daemon.send(.statusReply(byteCount: 1, request: 1)) }
  }
}

@Suite("The range list of an import")
struct ImportRangesTests {
  private func roundTrip(
    _ entries: [ImportRanges.Entry], count: Int? = nil
  ) throws -> [MemoryRange] {
    let pair = try UnixSocket.pair(.seqpacket)
    let list = try ImportRanges.list(entries)
    let memory = try MemFD.create(name: "pages", byteCount: 16 * pageByteCount)
    var byte: UInt8 = 1
    _ = try withUnsafeBytes(of: &byte) { try pair.first.send($0, fds: [list.raw, memory.raw]) }
    var fds = ReceivedFDs()
    _ = try withUnsafeMutableBytes(of: &byte) { try pair.second.receive(into: $0, fds: &fds) }
    return try ImportRanges.read(count: count ?? entries.count, fds: &fds).0
  }

  private func entry(_ descriptor: Int, _ offset: Int, _ byteCount: Int) -> ImportRanges.Entry {
    ImportRanges.Entry(descriptor: descriptor, offset: offset, byteCount: byteCount)
  }

  @Test func `a range list comes back as it was written`() throws {
    let page = pageByteCount
    let ranges = try roundTrip([entry(0, 2 * page, page), entry(0, 0, 2 * page)])
    #expect(ranges.map(\.offset) == [2 * page, 0])
    #expect(ranges.map(\.byteCount) == [page, 2 * page])
  }

  @Test func `a list that is too short or names unknown descriptors is refused`() {
    let page = pageByteCount
    #expect(throws: PresentProtocolError.self) { try roundTrip([entry(1, 0, page)]) }
    #expect(throws: PresentProtocolError.self) { try roundTrip([entry(64, 0, page)]) }
    #expect(throws: PresentProtocolError.self) { try roundTrip([entry(0, 0, page)], count: 2) }
  }

  @Test func `a list that can shrink under the reader is refused`() throws {
    let pair = try UnixSocket.pair(.seqpacket)
    let file = try OwnedFD.open("/dev/zero", flags: 0)
    var byte: UInt8 = 1
    _ = try withUnsafeBytes(of: &byte) { try pair.first.send($0, fds: [file.raw, file.raw]) }
    var fds = ReceivedFDs()
    _ = try withUnsafeMutableBytes(of: &byte) { try pair.second.receive(into: $0, fds: &fds) }
    #expect(throws: PresentProtocolError.self) { try ImportRanges.read(count: 1, fds: &fds) }
  }
}
