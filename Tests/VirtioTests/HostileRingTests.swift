import GuestMemory
import TestSupport
import Testing
import Virtio

/// Rings that break the rules: each is a typed error with numbers, and none traps.
struct HostileRingTests {
  let ram: GuestRAM
  let buffer: UInt64
  let driver: MockDriver
  let queue: Virtqueue

  init() throws {
    ram = try GuestRAM(byteCount: 1 << 20)
    buffer = ram.allocate(4096)
    driver = MockDriver(ram, size: 8)
    queue = try driver.config().activate(ram.table())
  }

  private func expect(_ error: VirtqueueError, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(throws: error, sourceLocation: sourceLocation) { try queue.pop() }
    #expect(queue.inFlightCount == 0, sourceLocation: sourceLocation)
  }

  @Test(arguments: [0, 3, 65536, UInt32.max] as [UInt32])
  func `sizes that are not a power of two up to 32768 are refused`(_ size: UInt32) throws {
    var config = driver.config()
    config.size = size

    #expect(throws: VirtqueueError.badSize(size)) { try config.activate(ram.table()) }
  }

  @Test(arguments: [0, UInt64.max, .max - 4, 1 << 32] as [UInt64])
  func `a ring outside RAM is refused`(_ address: UInt64) throws {
    let memory = try ram.table()
    var config = driver.config()
    config.descriptorTable = address
    #expect(throws: VirtqueueError.ringOutsideMemory(part: .descriptorTable, address: address, byteCount: 128)) {
      try config.activate(memory)
    }
    config = driver.config()
    config.availRing = address
    #expect(throws: VirtqueueError.ringOutsideMemory(part: .availRing, address: address, byteCount: 22)) {
      try config.activate(memory)
    }
    config = driver.config()
    config.usedRing = address
    #expect(throws: VirtqueueError.ringOutsideMemory(part: .usedRing, address: address, byteCount: 70)) {
      try config.activate(memory)
    }
  }

  @Test func `a ring that ends outside RAM is refused`() throws {
    var config = driver.config()
    config.usedRing = ram.userAddress + UInt64(ram.byteCount) - 68

    #expect(throws: VirtqueueError.ringOutsideMemory(part: .usedRing, address: config.usedRing, byteCount: 70)) {
      try config.activate(ram.table())
    }
    // Without EVENT_IDX there is no avail_event after it.
    config.features = []
    #expect(try config.activate(ram.table()).size == 8)
  }

  @Test func `a misaligned ring is refused`() throws {
    let memory = try ram.table()
    var config = driver.config()
    config.descriptorTable += 8
    let table = config.descriptorTable
    #expect(throws: VirtqueueError.ringMisaligned(part: .descriptorTable, address: table)) {
      try config.activate(memory)
    }
    config = driver.config()
    config.availRing += 1
    let avail = config.availRing
    #expect(throws: VirtqueueError.ringMisaligned(part: .availRing, address: avail)) { try config.activate(memory) }
    config = driver.config()
    config.usedRing += 2
    let used = config.usedRing
    #expect(throws: VirtqueueError.ringMisaligned(part: .usedRing, address: used)) { try config.activate(memory) }
  }

  @Test func `avail.idx may not jump`() {
    driver.setAvailIndex(9)
    expect(.availIndexJumped(from: 0, to: 9, size: 8))
    driver.setAvailIndex(65535)
    expect(.availIndexJumped(from: 0, to: 65535, size: 8))
  }

  @Test func `a head outside the table is refused`() {
    driver.expose(head: 8)
    expect(.headOutOfRange(head: 8, size: 8))
  }

  @Test func `a next outside the table is refused`() {
    driver.setDescriptor(0, address: buffer, byteCount: 1, flags: 1, next: 8)
    driver.expose(head: 0)
    expect(.nextOutOfRange(next: 8, count: 8))
  }

  @Test func `a descriptor loop is refused`() {
    driver.setDescriptor(0, address: buffer, byteCount: 1, flags: 1, next: 1)
    driver.setDescriptor(1, address: buffer, byteCount: 1, flags: 1, next: 0)
    driver.expose(head: 0)
    expect(.chainTooLong(head: 0, limit: 8))
  }

  @Test func `a descriptor that follows itself is refused`() {
    driver.setDescriptor(3, address: buffer, byteCount: 1, flags: 1, next: 3)
    driver.expose(head: 3)
    expect(.chainTooLong(head: 3, limit: 8))
  }

  @Test func `a loop in an indirect table is refused`() {
    let table = ram.allocate(32)
    ram.setDescriptor(table, 0, address: buffer, byteCount: 1, flags: 1, next: 1)
    ram.setDescriptor(table, 1, address: buffer, byteCount: 1, flags: 1, next: 0)
    driver.setDescriptor(0, address: table, byteCount: 32, flags: 4, next: 0)
    driver.expose(head: 0)
    expect(.chainTooLong(head: 0, limit: 2))
  }

  @Test func `an indirect table in an indirect table is refused`() {
    let table = ram.allocate(16)
    ram.setDescriptor(table, 0, address: table, byteCount: 16, flags: 4, next: 0)
    driver.setDescriptor(0, address: table, byteCount: 16, flags: 4, next: 0)
    driver.expose(head: 0)
    expect(.unexpectedIndirect(head: 0))
  }

  @Test func `an indirect descriptor with a next is refused`() {
    driver.setDescriptor(0, address: ram.allocate(16), byteCount: 16, flags: 4 | 1, next: 1)
    driver.expose(head: 0)
    expect(.unexpectedIndirect(head: 0))
  }

  @Test func `an indirect table that was not negotiated is refused`() throws {
    let plain = MockDriver(ram, size: 8, features: [])
    let queue = try plain.config().activate(ram.table())
    plain.setDescriptor(0, address: ram.allocate(16), byteCount: 16, flags: 4, next: 0)
    plain.expose(head: 0)

    #expect(throws: VirtqueueError.unexpectedIndirect(head: 0)) { try queue.pop() }
  }

  @Test(arguments: [0, 15, 17, 16 * 32768 + 16, UInt32.max, 0xffff_fff0] as [UInt32])
  func `an indirect table's length is checked`(_ byteCount: UInt32) {
    driver.setDescriptor(0, address: buffer, byteCount: byteCount, flags: 4, next: 0)
    driver.expose(head: 0)
    expect(.badIndirectByteCount(head: 0, byteCount: byteCount))
  }

  @Test func `an indirect table outside RAM is refused`() {
    driver.setDescriptor(0, address: UInt64.max - 15, byteCount: 32, flags: 4, next: 0)
    driver.expose(head: 0)
    expect(.bufferOutsideMemory(head: 0, address: .max - 15, byteCount: 32))
  }

  @Test func `a descriptor of no bytes is refused`() {
    driver.setDescriptor(0, address: buffer, byteCount: 0, flags: 0, next: 0)
    driver.expose(head: 0)
    expect(.emptyDescriptor(head: 0))
  }

  @Test(arguments: [(1 << 20, 1), ((1 << 20) - 1, 2), (UInt64.max, 1), (.max, .max), (0, .max)] as [(UInt64, UInt32)])
  func `a buffer outside RAM is refused`(_ address: UInt64, _ byteCount: UInt32) {
    driver.setDescriptor(0, address: address, byteCount: byteCount, flags: 2, next: 0)
    driver.expose(head: 0)
    expect(.bufferOutsideMemory(head: 0, address: address, byteCount: byteCount))
  }

  @Test func `a chain of more than 2^32 bytes is refused`() {
    let table = ram.allocate(16 * 4097)
    for index in 0...4096 {
      ram.setDescriptor(
        table, index, address: 0, byteCount: 1 << 20, flags: index == 4096 ? 0 : 1, next: UInt16(index + 1))
    }
    driver.setDescriptor(0, address: table, byteCount: 16 * 4097, flags: 4, next: 0)
    driver.expose(head: 0)
    expect(.chainTooLarge(head: 0, byteCount: (1 << 32) + (1 << 20)))
  }

  @Test func `a readable buffer after a writable one is refused`() {
    driver.setDescriptor(0, address: buffer, byteCount: 1, flags: 2 | 1, next: 1)
    driver.setDescriptor(1, address: buffer, byteCount: 1, flags: 0, next: 0)
    driver.expose(head: 0)
    expect(.readableAfterWritable(head: 0))
  }

  @Test func `a head made available again before its answer is refused`() throws {
    driver.setDescriptor(0, address: buffer, byteCount: 1, flags: 0, next: 0)
    driver.expose(head: 0)
    _ = try queue.pop()
    driver.expose(head: 0)

    #expect(throws: VirtqueueError.headInFlight(head: 0)) { try queue.pop() }
    queue.push(head: 0, writtenByteCount: 0)
    #expect(try queue.pop()?.head == 0)
  }

  @Test func `an answer to a chain that is not in flight is ignored`() {
    queue.push(head: 3, writtenByteCount: 0)
    queue.push(head: 8, writtenByteCount: 0)

    #expect(driver.usedIndex == 0)
  }

  @Test func `a used index and used_event of any value are harmless`() throws {
    ram.index(driver.usedRing + 2).storeReleasing(0xfff0)
    let queue = try driver.config().activate(ram.table())
    driver.setUsedEvent(0x8000)
    driver.setDescriptor(0, address: buffer, byteCount: 1, flags: 0, next: 0)
    for _ in 0..<32 {
      driver.expose(head: 0)
      let chain = try #require(try queue.pop())
      queue.push(head: chain.head, writtenByteCount: .max)
      _ = queue.needsNotification()
    }

    #expect(driver.usedIndex == 16)
  }
}
