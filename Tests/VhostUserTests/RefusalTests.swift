import CLinux
import Glibc
import GuestMemory
import LinuxIO
import TestSupport
import Testing
import VhostUser
import Virtio

/// VMs whose memory or features cannot be served: the rings stop, the connection and the frontend live on.
struct RefusalTests {
  let wire: Wire

  init() throws {
    wire = try Wire()
    try wire.negotiate()
  }

  /// SET_FEATURES with VERSION_1, protocol features, and those.
  private func setFeatures(_ bits: UInt64) throws {
    let features: UInt64 = 1 << 32 | 1 << 30 | bits
    try wire.send(2, (0..<8).map { UInt8(truncatingIfNeeded: features >> ($0 * 8)) })
  }

  private func answersRequests(_ driver: MockDriver, _ kick: borrowing EventFD) throws -> Bool {
    let buffer = wire.ram.allocate(64)
    _ = driver.add([.readable(buffer, 1), .writable(buffer, 1)])
    driver.publish()
    kick.signal()
    try wire.backend.turn()
    return driver.takeUsed() != nil
  }

  @Test func `packed rings are refused with the property to set, and a later driver is served`() throws {
    try wire.sendMemory()
    try setFeatures(1 << 34)
    #expect(wire.events.last?.contains("packed=off") == true)
    // As QEMU continues for packed rings: the base contains the wrap counters.
    let kick = try EventFD()
    try wire.send(8, VringState(index: 0, number: 16).encoded)
    try wire.send(10, VringState(index: 0, number: 0x8000_8000).encoded)
    try wire.send(12, [0, 0, 0, 0, 0, 0, 0, 0], fds: [kick.fd.raw])
    try wire.send(18, VringState(index: 0, number: 1).encoded)
    try wire.send(18, VringState(index: 0, number: 0).encoded)
    #expect(try wire.send(11, VringState(index: 0, number: 0).encoded).count == 20, "GET_VRING_BASE is answered")
    #expect(wire.end == nil)
    #expect(wire.events.filter { $0.hasPrefix("refused: the guest") }.count == 1)
    #expect(!wire.events.contains("start 0"))

    try setFeatures(0)
    let driver = MockDriver(wire.ram, size: 16)
    let second = try EventFD()
    try wire.startQueue(driver, kick: second.fd.raw)
    #expect(wire.events.contains("refused: no"))
    #expect(try answersRequests(driver, second))
  }

  @Test func `a ring at an IOMMU address is refused with the property to set`() throws {
    try wire.sendMemory()
    try setFeatures(1 << 33)
    let kick = try EventFD()
    try wire.send(8, VringState(index: 0, number: 16).encoded)
    try wire.send(
      9, VringAddress(index: 0, descriptorTable: 0xFFFF_F000, usedRing: 0xFFFF_E000, availRing: 0xFFFF_D000).encoded)
    try wire.send(12, [0, 0, 0, 0, 0, 0, 0, 0], fds: [kick.fd.raw])
    try wire.send(18, VringState(index: 0, number: 1).encoded)
    #expect(wire.end == nil)
    #expect(wire.events.last?.contains("iommu_platform=off") == true)
  }

  @Test func `memory that cannot be shared is refused, and the rings do not start`() throws {
    let open = OwnedFD(taking: clinux_memfd_create("open", UInt32(CLINUX_MFD_ALLOW_SEALING)))
    #expect(ftruncate(open.raw, 8192) == 0)
    let region = MemoryRegionDescription(guestAddress: 0, byteCount: 8192, userAddress: 0, fileOffset: 0)
    let reply = try wire.send(5, MemoryTable(regions: [region]).encoded, fds: [open.raw], flags: 9)
    #expect(reply.suffix(8) == [1, 0, 0, 0, 0, 0, 0, 0], "the frontend is told")
    #expect(wire.events.last?.contains("seal=on") == true)
    let driver = MockDriver(wire.ram, size: 16)
    let kick = try EventFD()
    try wire.startQueue(driver, kick: kick.fd.raw)
    #expect(try !answersRequests(driver, kick))
    #expect(wire.end == nil)
    #expect(!wire.events.contains("start 0"))
  }

  @Test func `a request in memory that is not shared stops the rings until the device starts again`() throws {
    try wire.sendMemory()
    let driver = MockDriver(wire.ram, size: 16)
    let kick = try EventFD()
    try wire.startQueue(driver, kick: kick.fd.raw)
    #expect(try answersRequests(driver, kick))
    _ = driver.add([.readable(1 << 40, 16)])
    driver.publish()
    kick.signal()
    try wire.backend.turn()
    #expect(wire.end == nil)
    #expect(wire.events.last?.contains("share=on") == true)
    // The frontend stops the device, and starts it for another driver.
    try wire.send(18, VringState(index: 0, number: 0).encoded)
    try wire.send(11, VringState(index: 0, number: 0).encoded)
    try setFeatures(0)
    let next = MockDriver(wire.ram, size: 16)
    let nextKick = try EventFD()
    try wire.startQueue(next, kick: nextKick.fd.raw)
    #expect(try answersRequests(next, nextKick))
  }

  @Test(.enabled(if: HugePages.areThere, "this machine gives no huge pages"))
  func `a request in a discarded huge page stops the rings, and works after a restart when there are free pages`()
    throws
  {
    let huge = try HugePages(4)
    defer { withExtendedLifetime(huge) {} }
    let memory = try huge.makeMemory(count: 3)
    let wire = try Wire(GuestRAM(fd: memory, byteCount: 3 * HugePages.byteCount))
    try wire.negotiate()
    try wire.sendMemory()
    let driver = MockDriver(wire.ram, size: 16)
    let kick = try EventFD()
    try wire.startQueue(driver, kick: kick.fd.raw)
    let far = UInt64(2 * HugePages.byteCount + 64)
    wire.ram.fill(far, 16, with: 1)
    let submit = { (driver: MockDriver, kick: borrowing EventFD) in
      _ = driver.add([.readable(far, 16), .writable(wire.ram.allocate(16), 16)])
      driver.publish()
      kick.signal()
      try wire.backend.turn()
    }
    try submit(driver, kick)
    #expect(driver.takeUsed() != nil)

    try huge.discard(2, of: memory)
    do {
      let rest = try huge.takeAll()
      try submit(driver, kick)
      #expect(try rest.byteCount() > 0)
    }
    // A child that another test is starting may hold them for a moment.
    #expect(try EventLoop().wait { HugePages.freeCount > 0 })
    #expect(wire.end == nil)
    let refusals = wire.events.filter { $0.hasPrefix("refused: guest memory at 0x400040 has been discarded") }
    #expect(refusals.count == 1 && refusals.first?.contains("vm.nr_hugepages") == true)
    #expect(wire.events.last?.hasPrefix("refused") == true)

    // The frontend stops the device, and starts it for another driver without sending its memory again.
    try wire.send(18, VringState(index: 0, number: 0).encoded)
    try wire.send(11, VringState(index: 0, number: 0).encoded)
    try wire.send(2, [0, 0, 0, 0x70, 1, 0, 0, 0])
    let next = MockDriver(wire.ram, size: 16)
    let nextKick = try EventFD()
    try wire.startQueue(next, kick: nextKick.fd.raw)
    wire.ram.fill(far, 16, with: 7)
    let before = wire.events.count
    try submit(next, nextKick)
    #expect(next.takeUsed() != nil)
    #expect(wire.events.count == before)
  }

  @Test func `kicks that never bring a request get one hint`() throws {
    try wire.sendMemory()
    let driver = MockDriver(wire.ram, size: 16)
    let kick = try EventFD()
    try wire.startQueue(driver, kick: kick.fd.raw)
    // QEMU's own.
    kick.signal()
    try wire.backend.turn()
    #expect(wire.backend.lines.isEmpty)
    for _ in 0..<5 {
      kick.signal()
      try wire.backend.turn()
    }
    #expect(wire.backend.lines.count == 1)
    #expect(wire.backend.lines.first?.contains("share=on") == true)
  }
}
