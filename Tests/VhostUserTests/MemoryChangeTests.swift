import GuestMemory
import LinuxIO
import TestSupport
import Testing
import VhostUser
import Virtio

/// Changes of the memory table while the rings run.
struct MemoryChangeTests {
  let wire: Wire
  let driver: MockDriver
  let kick: EventFDBox
  let buffer: UInt64

  init() throws {
    wire = try Wire()
    try wire.negotiate()
    driver = MockDriver(wire.ram, size: 16)
    buffer = wire.ram.allocate(64)
    kick = EventFDBox(try EventFD())
  }

  final class EventFDBox {
    let fd: EventFD
    init(_ fd: consuming EventFD) { self.fd = fd }
  }

  private func region(from: Int, byteCount: Int) -> MemoryRegionDescription {
    MemoryRegionDescription(
      guestAddress: UInt64(from), byteCount: UInt64(byteCount), userAddress: wire.ram.userAddress + UInt64(from),
      fileOffset: UInt64(from))
  }

  private func submit() {
    _ = driver.add([.readable(buffer, 1), .writable(buffer, 1)])
    driver.publish()
    kick.fd.signal()
  }

  @Test func `SET_MEM_TABLE replaces all memory at once`() throws {
    try wire.sendMemory()
    try wire.startQueue(driver, kick: kick.fd.fd.raw)
    submit()

    let halves = [region(from: 0, byteCount: 1 << 19), region(from: 1 << 19, byteCount: 1 << 19)]
    let fd = wire.ram.fd.raw
    try wire.send(5, MemoryTable(regions: halves).encoded, fds: [fd, fd])
    submit()
    try wire.backend.turn()

    #expect(driver.takeUsed() != nil)
    #expect(driver.takeUsed() != nil)
    #expect(wire.events.filter { $0 == "memory" }.count == 2)
  }

  @Test func `a table without the ring stops the rings`() throws {
    try wire.sendMemory()
    try wire.startQueue(driver, kick: kick.fd.fd.raw)

    try wire.send(5, MemoryTable(regions: []).encoded)

    guard case .queue(index: 0, .ringOutsideMemory)? = wire.backend.session?.refusal, wire.end == nil else {
      Issue.record("\(String(describing: wire.end))")
      return
    }
  }

  @Test func `rings pause while a region is removed, and continue after it is added again`() throws {
    let fd = wire.ram.fd.raw
    let whole = region(from: 0, byteCount: 1 << 20)
    try wire.send(37, whole.paddedEncoded, fds: [fd])
    try wire.startQueue(driver, kick: kick.fd.fd.raw)
    let before = wire.events.filter { $0 == "memory" }.count

    try wire.send(38, whole.paddedEncoded)
    submit()
    try wire.backend.turn()
    #expect(driver.takeUsed() == nil)
    #expect(wire.end == nil)
    try wire.send(37, region(from: 1 << 19, byteCount: 1 << 19).paddedEncoded, fds: [fd])
    try wire.send(37, region(from: 0, byteCount: 1 << 19).paddedEncoded, fds: [fd])
    // No message follows: the timer ends the pause.
    while try wire.backend.loop.runOnce(timeoutMilliseconds: 1000) > 0, driver.usedIndex == 0 {}

    #expect(driver.takeUsed() != nil)
    #expect(wire.events.filter { $0 == "memory" }.count == before + 1)
  }

  @Test func `any other message also ends the pause`() throws {
    let fd = wire.ram.fd.raw
    try wire.send(37, region(from: 0, byteCount: 1 << 19).paddedEncoded, fds: [fd])
    try wire.startQueue(driver, kick: kick.fd.fd.raw)

    try wire.send(37, region(from: 1 << 19, byteCount: 1 << 19).paddedEncoded, fds: [fd])
    submit()
    try wire.send(1, [])
    try wire.backend.turn()

    #expect(driver.takeUsed() != nil)
  }

  @Test func `a ring that stays outside memory stops the rings`() throws {
    let whole = region(from: 0, byteCount: 1 << 20)
    try wire.send(37, whole.paddedEncoded, fds: [wire.ram.fd.raw])
    try wire.startQueue(driver, kick: kick.fd.fd.raw)

    try wire.send(38, whole.paddedEncoded)
    while wire.backend.session?.refusal == nil, try wire.backend.loop.runOnce(timeoutMilliseconds: 1000) > 0 {}

    guard case .queue(index: 0, .ringOutsideMemory)? = wire.backend.session?.refusal, wire.end == nil else {
      Issue.record("\(String(describing: wire.end))")
      return
    }
  }
}
