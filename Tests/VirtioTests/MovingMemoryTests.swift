import GuestMemory
import TestSupport
import Testing
import Virtio

struct MovingMemoryTests {
  let ram: GuestRAM
  let memory: GuestMemory
  let buffer: UInt64
  let driver: MockDriver
  let queue: Virtqueue

  init() throws {
    ram = try GuestRAM(byteCount: 1 << 20)
    memory = try ram.table()
    buffer = ram.allocate(64)
    driver = MockDriver(ram, size: 8)
    queue = try driver.config().activate(memory)
  }

  @Test func `a queue continues after the memory table is replaced`() throws {
    _ = driver.add([.readable(buffer, 1)])
    driver.publish()
    let chain = try #require(try queue.pop())

    try memory.replaceRegions([try ram.region(byteCount: 1 << 19), try ram.region(from: 1 << 19)])
    queue.push(head: chain.head, writtenByteCount: 0)
    _ = driver.add([.readable(buffer, 1)])
    driver.publish()

    #expect(driver.takeUsed() != nil)
    #expect(try queue.pop() != nil)
  }

  @Test func `answers wait while the ring is outside memory`() throws {
    _ = driver.add([.readable(buffer, 1)])
    driver.publish()
    let head = try #require(try queue.pop()).head

    try memory.replaceRegions([])
    queue.push(head: head, writtenByteCount: 5)
    #expect(driver.takeUsed() == nil)
    #expect(!queue.needsNotification())
    #expect(throws: VirtqueueError.self) { try queue.pop() }
    try memory.replaceRegions([try ram.region()])
    try queue.resolve()

    let used = try #require(driver.takeUsed())
    #expect(used.head == head)
    #expect(used.writtenByteCount == 5)
    #expect(queue.needsNotification())
  }

  @Test func `a stopped queue continues where it stopped`() throws {
    for _ in 0..<3 { _ = driver.add([.readable(buffer, 1)]) }
    driver.publish()
    let chain = try #require(try queue.pop())
    queue.push(head: chain.head, writtenByteCount: 0)

    let resumed = try driver.config(nextAvail: queue.nextAvail).activate(memory)

    #expect(resumed.nextUsed == 1)
    #expect(try resumed.pop()?.head == 1)
    resumed.push(head: 1, writtenByteCount: 0)
    #expect(driver.takeUsed()?.head == 0)
    #expect(driver.takeUsed()?.head == 1)
    #expect(driver.takeUsed() == nil)
  }

  @Test func `a ring may move`() throws {
    let other = MockDriver(ram, size: 8)
    let config = other.config()

    try queue.relocate(
      descriptorTable: config.descriptorTable, availRing: config.availRing, usedRing: config.usedRing)
    _ = other.add([.readable(buffer, 7)])
    other.publish()

    #expect(try queue.pop()?.readableByteCount == 7)
    #expect(throws: VirtqueueError.self) {
      try queue.relocate(descriptorTable: 0, availRing: config.availRing, usedRing: config.usedRing)
    }
  }
}
