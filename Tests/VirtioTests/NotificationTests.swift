import GuestMemory
import TestSupport
import Testing
import Virtio

struct NotificationTests {
  let ram: GuestRAM
  let buffer: UInt64

  init() throws {
    ram = try GuestRAM(byteCount: 1 << 20)
    buffer = ram.allocate(64)
  }

  private func serveOne(_ driver: MockDriver, _ queue: Virtqueue) throws {
    _ = driver.add([.readable(buffer, 1)])
    driver.publish()
    let chain = try #require(try queue.pop())
    queue.push(head: chain.head, writtenByteCount: 0)
  }

  @Test func `without EVENT_IDX the flag decides`() throws {
    let driver = MockDriver(ram, size: 8, features: [])
    let queue = try driver.config().activate(ram.table())

    driver.setInterrupts(true)
    try serveOne(driver, queue)
    #expect(queue.needsNotification())
    driver.setInterrupts(false)
    try serveOne(driver, queue)
    #expect(!queue.needsNotification())
  }

  @Test func `with EVENT_IDX the driver's index decides`() throws {
    let driver = MockDriver(ram, size: 8)
    let queue = try driver.config().activate(ram.table())
    try serveOne(driver, queue)
    _ = queue.needsNotification()

    // used.idx is 1; the driver requests a notification when it becomes 4.
    driver.setUsedEvent(3)
    try serveOne(driver, queue)
    #expect(!queue.needsNotification())
    try serveOne(driver, queue)
    #expect(!queue.needsNotification())
    try serveOne(driver, queue)
    #expect(queue.needsNotification())
    try serveOne(driver, queue)
    #expect(!queue.needsNotification())
  }

  @Test func `the first answer after a start always interrupts`() throws {
    let driver = MockDriver(ram, size: 8)
    let queue = try driver.config().activate(ram.table())
    driver.setUsedEvent(100)

    try serveOne(driver, queue)

    #expect(queue.needsNotification())
  }

  @Test(arguments: [[], [.eventIndex]] as [VirtioFeatures])
  func `there is no notification if nothing was pushed`(_ features: VirtioFeatures) throws {
    let driver = MockDriver(ram, size: 8, features: features)
    let queue = try driver.config().activate(ram.table())
    #expect(!queue.needsNotification())
    driver.setInterrupts(true)
    try serveOne(driver, queue)

    #expect(queue.needsNotification())
    #expect(!queue.needsNotification())
  }

  @Test func `an emptied queue notifies if NOTIFY_ON_EMPTY was accepted`() throws {
    let driver = MockDriver(ram, size: 8, features: [.notifyOnEmpty])
    let queue = try driver.config().activate(ram.table())
    driver.setInterrupts(false)

    try serveOne(driver, queue)

    #expect(queue.needsNotification())
  }

  @Test(arguments: [[], [.eventIndex]] as [VirtioFeatures])
  func `kicks are enabled explicitly, and earlier requests are reported`(_ features: VirtioFeatures) throws {
    let driver = MockDriver(ram, size: 8, features: features)
    let queue = try driver.config().activate(ram.table())
    #expect(!queue.enableNotifications())
    _ = driver.add([.readable(buffer, 1)])
    #expect(driver.publish())

    queue.disableNotifications()
    _ = driver.add([.readable(buffer, 1)])
    #expect(!driver.publish())

    #expect(try queue.pop() != nil)
    #expect(queue.enableNotifications())
    #expect(try queue.pop() != nil)
    #expect(!queue.enableNotifications())
    _ = driver.add([.readable(buffer, 1)])
    #expect(driver.publish())
  }

  @Test func `a limited drain reports that chains are left`() throws {
    let driver = MockDriver(ram, size: 8)
    let queue = try driver.config().activate(ram.table())
    for _ in 0..<3 { _ = driver.add([.readable(buffer, 1)]) }
    driver.publish()

    var count = 0
    let first = try queue.drain(limit: 2) { _ in count += 1 }
    let second = try queue.drain(limit: 2) { _ in count += 1 }

    #expect(first)
    #expect(!second)
    #expect(count == 3)
  }
}
