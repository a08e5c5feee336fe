import Glibc
import GuestMemory
import LinuxIO
import TestSupport
import Testing
import VhostUser
import Virtio

func shutDown(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_WR)) }

/// Every message as bytes: request, flags, size, payload.
struct WireTests {
  let wire: Wire

  init() throws { wire = try Wire() }

  @Test func `GET_FEATURES`() throws {
    #expect(
      try wire.send([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        == [1, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0] + [0x0b, 0, 0, 0x70, 1, 0, 0, 0])
  }

  @Test func `SET_FEATURES`() throws {
    #expect(try wire.send([2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [2, 0, 0, 0x60, 1, 0, 0, 0]) == [])
    #expect(wire.events == ["features 120000002"])
    #expect(wire.backend.session?.acceptedFeatures == 0x1_6000_0002)
  }

  @Test func `SET_OWNER and RESET_OWNER`() throws {
    #expect(try wire.send([3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) == [])
    #expect(try wire.send([4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) == [])
    #expect(wire.end == nil)
  }

  @Test func `GET_PROTOCOL_FEATURES`() throws {
    // MQ 0, REPLY_ACK 3, BACKEND_REQ 5, CONFIG 9, RESET_DEVICE 13, CONFIGURE_MEM_SLOTS 15.
    #expect(
      try wire.send([15, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        == [15, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0] + [0x29, 0xa2, 0, 0, 0, 0, 0, 0])
  }

  @Test func `SET_PROTOCOL_FEATURES, and an acknowledgement from then on`() throws {
    #expect(try wire.send([16, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [8, 0, 0, 0, 0, 0, 0, 0]) == [])
    #expect(
      try wire.send([3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0])
        == [3, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `GET_QUEUE_NUM`() throws {
    #expect(
      try wire.send([17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        == [17, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0] + [2, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `GET_MAX_MEM_SLOTS`() throws {
    #expect(
      try wire.send([36, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        == [36, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0] + [0, 1, 0, 0, 0, 0, 0, 0])
  }

  @Test func `SET_MEM_TABLE`() throws {
    // u32 count, u32 padding, then guest address, size, user address and file offset of each.
    let table: [UInt8] = [
      2, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0,
      0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0, 0, 1, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0,
      0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0,
    ]
    let fd = wire.ram.fd.raw
    #expect(try wire.send([5, 0, 0, 0, 1, 0, 0, 0, 72, 0, 0, 0] + table, fds: [fd, fd]) == [])

    let regions = wire.backend.memory.regions
    #expect(regions.map(\.guestAddress) == [0, 1 << 32])
    #expect(regions.map(\.byteCount) == [0x1000, 0x2000])
    #expect(regions.map(\.userAddress) == [0x20_0000, 0x40_0000])
    #expect(regions.map(\.fileOffset) == [0, 0x1000])
    #expect(wire.events == ["memory"])
  }

  @Test func `ADD_MEM_REG and REM_MEM_REG`() throws {
    let region: [UInt8] = [
      0, 0, 0, 0, 0, 0, 0, 0,  // padding
      0, 0, 1, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0,
      0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0,
    ]
    try wire.negotiate()
    let acknowledged: [UInt8] = [5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    #expect(
      try wire.send([37, 0, 0, 0, 9, 0, 0, 0, 40, 0, 0, 0] + region, fds: [wire.ram.fd.raw])
        == [37, 0, 0, 0] + acknowledged)
    #expect(wire.backend.memory.contains(0x10000, 0x1000))

    #expect(try wire.send([38, 0, 0, 0, 9, 0, 0, 0, 40, 0, 0, 0] + region) == [38, 0, 0, 0] + acknowledged)
    #expect(wire.backend.memory.regions.isEmpty)
  }

  @Test func `a ring's messages, from SET_VRING_NUM to GET_VRING_BASE`() throws {
    try wire.negotiate()
    try wire.sendMemory()
    let driver = MockDriver(wire.ram, size: 16)
    let kick = try EventFD()
    let call = try EventFD()
    let config = driver.config()
    let address = (config.descriptorTable, config.usedRing, config.availRing)
    var bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
    for field in [address.0, address.1, address.2, 0] { bytes.append(littleEndian: field) }

    try wire.send([8, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 16, 0, 0, 0])
    try wire.send([10, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0])
    try wire.send([9, 0, 0, 0, 1, 0, 0, 0, 40, 0, 0, 0] + bytes)
    try wire.send([12, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0], fds: [kick.fd.raw])
    try wire.send([13, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0], fds: [call.fd.raw])
    try wire.send([14, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [0, 1, 0, 0, 0, 0, 0, 0])
    #expect(wire.backend.session?.queue(0)?.isRunning == false)
    try wire.send([18, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 1, 0, 0, 0])
    #expect(wire.backend.session?.queue(0)?.isRunning == true)

    let buffer = wire.ram.allocate(64)
    _ = driver.add([.readable(buffer, 1), .writable(buffer, 1)])
    driver.publish()
    kick.signal()
    try wire.backend.turn()
    #expect(driver.takeUsed()?.writtenByteCount == 1)
    #expect(call.drain() == 1)

    #expect(
      try wire.send([11, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0])
        == [11, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0] + [0, 0, 0, 0, 1, 0, 0, 0])
    #expect(wire.backend.session?.queue(0)?.isRunning == false)
  }

  @Test func `GET_CONFIG and SET_CONFIG`() throws {
    #expect(
      try wire.send([24, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0] + [4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9])
        == [24, 0, 0, 0, 5, 0, 0, 0, 16, 0, 0, 0] + [4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 5, 6, 7])
    #expect(try wire.send([25, 0, 0, 0, 1, 0, 0, 0, 14, 0, 0, 0] + [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 8, 9]) == [])
    #expect(wire.backend.device.config.prefix(4) == [0, 8, 9, 3])
    // Outside the config space: no content.
    #expect(
      try wire.send([24, 0, 0, 0, 1, 0, 0, 0, 13, 0, 0, 0] + [16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
        == [24, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `SET_BACKEND_REQ_FD, and a config-change message on it`() throws {
    #expect(wire.backend.session?.configChanged() == false)
    let pair = try UnixSocket.pair(.stream)
    try wire.send([21, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], fds: [pair.second.fd.raw])

    #expect(wire.backend.session?.configChanged() == true)

    var bytes = [UInt8](repeating: 0xff, count: 13)
    let count = bytes.withUnsafeMutableBytes { read(pair.first.fd.raw, $0.baseAddress, 13) }
    #expect(count == 12)
    #expect(bytes == [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff])
  }

  @Test func `GPU_SET_SOCKET, replaced at each start and drained`() throws {
    let pair = try UnixSocket.pair(.stream)
    let other = try UnixSocket.pair(.stream)
    #expect(try wire.send([33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], fds: [pair.second.fd.raw]) == [])
    #expect(try wire.send([33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], fds: [other.second.fd.raw]) == [])
    #expect(wire.events == ["display", "display"])

    try [UInt8](repeating: 1, count: 6000).withUnsafeBytes { _ = try other.first.send($0) }
    try wire.backend.turn()
    #expect(wire.events.count == 2)
    shutDown(other.first.fd.raw)
    try wire.backend.turn()
    #expect(wire.events == ["display", "display", "no display"])
    #expect(wire.end == nil)
  }

  @Test func `RESET_DEVICE`() throws {
    try wire.negotiate()
    #expect(try wire.send([34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) == [])
    #expect(wire.events.last == "reset")
  }

  @Test func `an unknown request is refused if the frontend requests an answer, else ignored`() throws {
    #expect(try wire.send([41, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0] + [1, 2]) == [])
    try wire.negotiate()
    #expect(
      try wire.send([41, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0] + [1, 2])
        == [41, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0] + [1, 0, 0, 0, 0, 0, 0, 0])
    #expect(try wire.send([0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0]) == [])

    #expect(wire.end == nil)
    #expect(wire.backend.lines.last == "vhost-user request 4294967295 is not served")
  }

  @Test func `messages may come in pieces, or several at once`() throws {
    for byte in [17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] as [UInt8] { #expect(try wire.send([byte]) == []) }
    #expect(try wire.send([0]).count == 20)
    let request: [UInt8] = [17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    #expect(try wire.send(request + request + request).count == 60)
  }
}
