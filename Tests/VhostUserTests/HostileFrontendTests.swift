import CLinux
import FrameSimulator
import Glibc
import GuestMemory
import LinuxIO
import TestSupport
import Testing
import VhostUser
import Virtio

/// Messages that break the rules: each ends the session, or stops the rings, with one typed error. None traps.
struct HostileFrontendTests {
  let wire: Wire

  init() throws {
    wire = try Wire()
    try wire.negotiate()
  }

  private func expect(_ error: VhostUserError, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(wire.end == .failed(error), sourceLocation: sourceLocation)
  }

  /// The rings are stopped, and the connection continues.
  private func expectRefusal(_ error: VhostUserError, sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(wire.end == nil, sourceLocation: sourceLocation)
    #expect(wire.backend.session?.refusal == error, sourceLocation: sourceLocation)
    #expect(try wire.send(1, []).count == 20, "GET_FEATURES is answered", sourceLocation: sourceLocation)
  }

  private func region(
    guest: UInt64 = 0, byteCount: UInt64 = 4096, user: UInt64 = 0, offset: UInt64 = 0
  ) -> MemoryRegionDescription {
    MemoryRegionDescription(guestAddress: guest, byteCount: byteCount, userAddress: user, fileOffset: offset)
  }

  @Test func `the end of the connection is not an error`() throws {
    try wire.close()
    #expect(wire.end == .closed)
  }

  @Test func `the end of the connection inside a message is an error`() throws {
    try wire.send([1, 0, 0, 0, 1])
    try wire.close()
    expect(.truncated(receivedByteCount: 5))
  }

  @Test(arguments: [0, 2, 3, 5] as [UInt8])
  func `another version, or a reply, is refused`(_ flags: UInt8) throws {
    try wire.send(1, [], flags: flags)
    expect(.badFlags(request: 1, flags: UInt32(flags)))
  }

  @Test func `a payload of 4 GiB is refused`() throws {
    try wire.send([5, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
    expect(.payloadTooLong(request: 5, byteCount: .max))
  }

  @Test(arguments: [2, 5, 8, 9, 10, 11, 12, 13, 14, 16, 18, 24, 25, 37, 38] as [UInt8], [0, 1, 7, 9, 300])
  func `a payload of the wrong length is refused`(_ request: UInt8, _ byteCount: Int) throws {
    try wire.send(request, Array(repeating: 0, count: byteCount))
    let id = try #require(Request(rawValue: UInt32(request)))
    expect(.badPayload(request: id, byteCount: byteCount))
  }

  @Test(arguments: [8, 9, 10, 11, 12, 13, 14, 18] as [UInt8])
  func `an index of a queue that does not exist is refused`(_ request: UInt8) throws {
    let payload: [UInt8] = [2] + Array(repeating: 0, count: request == 9 ? 39 : 7)
    try wire.send(request, payload)
    let id = try #require(Request(rawValue: UInt32(request)))
    expect(.noSuchQueue(request: id, index: 2, count: 2))
  }

  @Test func `a queue index of 2^32 - 1 is refused`() throws {
    try wire.send(8, [0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0])
    expect(.noSuchQueue(request: .setVringNum, index: .max, count: 2))
  }

  @Test(arguments: [0, 3, 65536, UInt32.max] as [UInt32])
  func `a bad queue size is refused`(_ size: UInt32) throws {
    try wire.send(8, VringState(index: 0, number: size).encoded)
    try expectRefusal(.queue(index: 0, .badSize(size)))
  }

  @Test func `a base above 65535 is refused`() throws {
    try wire.send(10, VringState(index: 1, number: 65536).encoded)
    try expectRefusal(.badVringBase(index: 1, base: 65536))
  }

  @Test func `enabling with 2 is refused`() throws {
    try wire.send(18, VringState(index: 1, number: 2).encoded)
    expect(.badVringEnable(index: 1, number: 2))
  }

  @Test func `protocol features that were not offered are refused`() throws {
    try wire.send(16, [2, 0, 0, 0, 0, 0, 0, 0x80])
    expect(.notOffered(protocolFeatures: 0x8000_0000_0000_0002))
  }

  @Test func `a kick without a descriptor is refused`() throws {
    try wire.send(12, [0, 1, 0, 0, 0, 0, 0, 0])
    expect(.pollingNotSupported(index: 0))
  }

  @Test(
    arguments: [(5, .setMemoryTable), (37, .addMemoryRegion), (21, .setBackendRequestFD), (33, .gpuSetSocket)]
      as [(UInt8, Request)])
  func `a missing descriptor is refused`(_ request: UInt8, _ id: Request) throws {
    let payload =
      switch id {
      case .setMemoryTable: MemoryTable(regions: [region()]).encoded
      case .addMemoryRegion: region().paddedEncoded
      default: [] as [UInt8]
      }
    try wire.send(request, payload)
    expect(.missingFD(request: id))
  }

  @Test func `a missing call descriptor is refused`() throws {
    try wire.send(13, [0, 0, 0, 0, 0, 0, 0, 0])
    expect(.missingFD(request: .setVringCall))
  }

  @Test func `descriptors that the request does not have are refused`() throws {
    try wire.send(1, [], fds: [0, 0])
    expect(.tooManyFDs(request: .getFeatures, count: 2))
  }

  @Test func `descriptors inside a message are refused`() throws {
    try wire.send([1, 0, 0, 0])
    try wire.send([1, 0, 0, 0, 0, 0, 0, 0], fds: [0])
    expect(.misplacedFDs)
  }

  @Test func `more regions than a table has are refused`() throws {
    try wire.send(5, MemoryTable(regions: Array(repeating: region(), count: 9)).encoded)
    expect(.badPayload(request: .setMemoryTable, byteCount: 8 + 9 * 32))
  }

  @Test func `a memfd without seals is refused, and the frontend gets the error`() throws {
    let open = OwnedFD(taking: clinux_memfd_create("open", UInt32(CLINUX_MFD_ALLOW_SEALING)))
    #expect(ftruncate(open.raw, 8192) == 0)

    let reply = try wire.send(5, MemoryTable(regions: [region()]).encoded, fds: [open.raw], flags: 9)

    #expect(reply == [5, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    try expectRefusal(.memory(.notSealed(guestAddress: 0)))
  }

  @Test(arguments: [0, 1 << 32, .max] as [UInt64])
  func `regions of 0 and 2^32 bytes are refused`(_ byteCount: UInt64) throws {
    try wire.send(37, region(byteCount: byteCount).paddedEncoded, fds: [wire.ram.fd.raw])
    guard case .memory? = wire.backend.session?.refusal, wire.end == nil else {
      Issue.record("\(String(describing: wire.end))")
      return
    }
  }

  @Test func `removing an unknown region is refused`() throws {
    try wire.send(38, region(guest: 0x1000).paddedEncoded)
    try expectRefusal(.memory(.noSuchRegion(guestAddress: 0x1000, byteCount: 4096)))
  }

  @Test func `a ring outside RAM is refused`() throws {
    try wire.sendMemory()
    let kick = try EventFD()
    try wire.send(8, VringState(index: 0, number: 16).encoded)
    try wire.send(9, VringAddress(index: 0, descriptorTable: 0, usedRing: 0, availRing: 0).encoded)
    try wire.send(12, [0, 0, 0, 0, 0, 0, 0, 0], fds: [kick.fd.raw])
    try wire.send(18, VringState(index: 0, number: 1).encoded)
    try expectRefusal(.queue(index: 0, .ringOutsideMemory(part: .descriptorTable, address: 0, byteCount: 256)))
    #expect(wire.events.last?.contains("share=on") == true)
  }

  @Test func `a descriptor loop stops the rings, and raises the error descriptor`() throws {
    try wire.sendMemory()
    let driver = MockDriver(wire.ram, size: 16)
    let kick = try EventFD()
    let error = try EventFD()
    try wire.send(14, [0, 0, 0, 0, 0, 0, 0, 0], fds: [error.fd.raw])
    try wire.startQueue(driver, kick: kick.fd.raw)
    driver.setDescriptor(0, address: 0, byteCount: 1, flags: 1, next: 0)
    driver.expose(head: 0)

    kick.signal()
    try wire.backend.turn()

    try expectRefusal(.queue(index: 0, .chainTooLong(head: 0, limit: 16)))
    #expect(error.drain() == 1)
    #expect(wire.events.suffix(2).first == "stop 0")
  }

  @Test func `size and base of a started ring cannot change`() throws {
    try wire.sendMemory()
    let kick = try EventFD()
    try wire.startQueue(MockDriver(wire.ram, size: 16), kick: kick.fd.raw)
    try wire.send(10, VringState(index: 0, number: 3).encoded)
    expect(.queueRunning(request: .setVringBase, index: 0))
  }

  @Test(.timeLimit(.minutes(1)), arguments: 1...40 as ClosedRange<UInt64>)
  func `random messages never trap`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      let wire = try Wire()
      try wire.negotiate()
      for _ in 0..<40 where wire.end == nil {
        let count = [0, 1, 8, 8, 12, 13, 40, 40, 72].randomElement(using: &random) ?? 0
        let payload = (0..<count).map { _ in
          Bool.random(using: &random) ? 0 : UInt8.random(in: 0 ... .max, using: &random) & 3
        }
        let fds = Array(repeating: wire.ram.fd.raw, count: .random(in: 0...2, using: &random))
        let flags: UInt8 = Bool.random(using: &random) ? 1 : 9
        _ = try? wire.send(.random(in: 0...44, using: &random), payload, fds: fds, flags: flags)
      }
    }
  }
}
