import HybridRegion
import Ivshmem
import LinuxIO
import Testing

@Suite struct WireTests {
  /// The bytes of the next message and the number of its descriptors.
  private func next(_ socket: borrowing UnixSocket) throws -> (bytes: [UInt8], fdCount: Int) {
    var bytes = [UInt8](repeating: 0, count: 8)
    var fds = ReceivedFDs()
    let result = try bytes.withUnsafeMutableBytes { space in try socket.receive(into: space, fds: &fds) }
    guard case .bytes(let count) = result else { return ([], 0) }
    return (Array(bytes[..<count]), fds.count)
  }

  @Test func `a client is welcomed with version, id, memory, the host's doorbell and its own`() throws {
    let pair = try UnixSocket.pair(.stream)
    let memory = try MemFD.create(name: "test", byteCount: 4096)
    let host = try EventFD()
    let guest = try EventFD()
    try IvshmemProtocol.welcome(
      pair.first, memory: memory.raw, hostDoorbell: host.fd.raw, guestDoorbell: guest.fd.raw)
    let expected: [([UInt8], Int)] = [
      ([0, 0, 0, 0, 0, 0, 0, 0], 0),  // version
      ([1, 0, 0, 0, 0, 0, 0, 0], 0),  // the client's id
      ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 1),  // -1 and the memory
      ([0, 0, 0, 0, 0, 0, 0, 0], 1),  // peer 0: the host
      ([1, 0, 0, 0, 0, 0, 0, 0], 1),  // the client's own vector
    ]
    for (bytes, fdCount) in expected {
      let message = try next(pair.second)
      #expect(message.bytes == bytes)
      #expect(message.fdCount == fdCount)
    }
  }

  @Test func `a disconnect is the peer's id without a descriptor`() throws {
    let pair = try UnixSocket.pair(.stream)
    try IvshmemProtocol.sendDisconnect(0x1234, to: pair.first)
    let message = try next(pair.second)
    #expect(message.bytes == [0x34, 0x12, 0, 0, 0, 0, 0, 0])
    #expect(message.fdCount == 0)
  }

  @Test func `a client reads the memory and both doorbells`() throws {
    let pair = try UnixSocket.pair(.stream)
    let memory = try MemFD.create(name: "test", byteCount: 8192)
    let host = try EventFD()
    let guest = try EventFD()
    try IvshmemProtocol.welcome(
      pair.first, memory: memory.raw, hostDoorbell: host.fd.raw, guestDoorbell: guest.fd.raw)
    let second = UnixSocket(taking: try pair.second.fd.duplicate())
    let client = try IvshmemClient.greet(second)
    #expect(try client.memory.byteCount() == 8192)
    client.hostDoorbell.signal()
    #expect(host.drain() == 1)
    guest.signal()
    #expect(client.guestDoorbell.drain() == 1)
  }

  @Test(arguments: [
    ([Int64(1)], IvshmemError.version(1)), ([0, 65_536], .unexpected("id 65536")),
    ([0, 7, 3], .unexpected("no memory")),
    ([0, 7, -1], .unexpected("no memory")), ([0], .timedOut), ([], .timedOut),
  ])
  func `a server that breaks the protocol is an error`(numbers: [Int64], expected: IvshmemError) throws {
    let pair = try UnixSocket.pair(.stream)
    for number in numbers {
      let bytes = IvshmemProtocol.bytes(of: number)
      _ = try bytes.withUnsafeBytes { try pair.first.send($0) }
    }
    let number = try pair.second.fd.duplicate().release()
    #expect(throws: expected) {
      _ = try IvshmemClient.greet(UnixSocket(taking: OwnedFD(taking: number)), timeoutMilliseconds: 50)
    }
  }

  @Test func `polling slows down without frames, and speeds up with a frame`() {
    var pace = PollingPace()
    var now: UInt64 = 1_000_000_000
    #expect(pace.next(polls: false, found: false, now: now) == 1_000_000_000)
    #expect(pace.next(polls: true, found: true, now: now) == 250_000)
    #expect(pace.next(polls: true, found: false, now: now) == 500_000)
    var longest: UInt64 = 0
    while now < 2_000_000_000 {
      longest = pace.next(polls: true, found: false, now: now)
      now += longest
    }
    #expect(longest == 2_000_000)
    for _ in 0..<100 { now += pace.next(polls: true, found: false, now: now) }
    #expect(pace.next(polls: true, found: false, now: now) == 33_000_000)
    #expect(pace.next(polls: true, found: true, now: now) == 250_000)
  }
}
