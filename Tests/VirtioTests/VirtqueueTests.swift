import GuestMemory
import TestSupport
import Testing
import Virtio

struct VirtqueueTests {
  let ram: GuestRAM

  init() throws { ram = try GuestRAM(byteCount: 4 << 20) }

  /// Answers the chain's request with its bytes, each plus one.
  private func answer(_ chain: DescriptorChain) -> UInt32 {
    var request = [UInt8](repeating: 0, count: chain.readableByteCount)
    let count = request.withUnsafeMutableBytes { chain.read(into: $0) }
    let reply = request.prefix(count).map { $0 &+ 1 }
    return UInt32(reply.withUnsafeBytes { chain.write($0) })
  }

  @Test(arguments: [false, true], [[], [.eventIndex], [.eventIndex, .indirectDescriptors]] as [VirtioFeatures])
  func `request and answer pass through a chain`(_ indirect: Bool, _ features: VirtioFeatures) throws {
    let driver = MockDriver(ram, size: 8, features: features.union(indirect ? .indirectDescriptors : []))
    let queue = try driver.config().activate(ram.table())
    let request = ram.allocate(5)
    let reply = ram.allocate(5)
    ram.write([1, 2, 3, 4, 5], at: request)
    let head = driver.add(
      [.readable(request, 2), .readable(request + 2, 3), .writable(reply, 1), .writable(reply + 1, 4)],
      indirect: indirect)
    driver.publish()

    let chain = try #require(try queue.pop())
    #expect(chain.readableByteCount == 5)
    #expect(chain.writableByteCount == 5)
    queue.push(head: chain.head, writtenByteCount: answer(chain))

    #expect(ram.read(reply, 5) == [2, 3, 4, 5, 6])
    let used = try #require(driver.takeUsed())
    #expect(used.head == head)
    #expect(used.writtenByteCount == 5)
    #expect(try queue.pop() == nil)
  }

  @Test func `reads and writes start at any offset and stop at the chain's end`() throws {
    let driver = MockDriver(ram, size: 8)
    let queue = try driver.config().activate(ram.table())
    let buffer = ram.allocate(64)
    ram.write([1, 2, 3, 4, 5, 6], at: buffer)
    _ = driver.add([
      .readable(buffer, 3), .readable(buffer + 3, 3), .writable(buffer + 8, 2), .writable(buffer + 16, 2),
    ])
    driver.publish()
    let chain = try #require(try queue.pop())

    var bytes = [UInt8](repeating: 0, count: 10)
    let read = bytes.withUnsafeMutableBytes { chain.read(into: $0, offset: 2) }
    let past = bytes.withUnsafeMutableBytes { chain.read(into: $0, offset: 6) }
    let before = bytes.withUnsafeMutableBytes { chain.read(into: $0, offset: -1) }
    let written = [7, 8, 9, 10].withUnsafeBytes { chain.write(UnsafeRawBufferPointer(rebasing: $0[0..<1]), at: 3) }
    let cut = [UInt8](repeating: 9, count: 8).withUnsafeBytes { chain.write($0, at: 1) }

    #expect(read == 4)
    #expect(Array(bytes.prefix(4)) == [3, 4, 5, 6])
    #expect(past == 0)
    #expect(before == 0)
    #expect(written == 1)
    #expect(cut == 3)
    #expect(ram.read(buffer + 8, 2) == [0, 9])
    #expect(ram.read(buffer + 16, 3) == [9, 9, 0])
  }

  @Test func `indices wrap at 65536`() throws {
    let driver = MockDriver(ram, size: 4)
    driver.start(at: 65530)
    let queue = try driver.config(nextAvail: 65530).activate(ram.table())
    let buffer = ram.allocate(64)

    #expect(!queue.enableNotifications())
    for _ in 0..<20 {
      _ = driver.add([.readable(buffer, 1), .writable(buffer, 1)])
      #expect(driver.publish())
      let chain = try #require(try queue.pop())
      queue.push(head: chain.head, writtenByteCount: 1)
      #expect(!queue.enableNotifications())
      driver.setInterrupts(true)
      #expect(driver.takeUsed() != nil)
    }

    #expect(queue.nextAvail == 14)
    #expect(queue.nextUsed == 14)
  }

  @Test(arguments: [1, 2, 64, 32768])
  func `any power of two is a valid size`(_ size: Int) throws {
    let driver = MockDriver(ram, size: size, features: [.eventIndex])
    let queue = try driver.config().activate(ram.table())
    let buffer = ram.allocate(64)
    for _ in 0..<size { _ = driver.add([.readable(buffer, 1)]) }
    driver.publish()

    var count = 0
    #expect(
      try !queue.drain(limit: .max) {
        queue.push(head: $0.head, writtenByteCount: 0)
        count += 1
      })

    #expect(count == size)
    #expect(queue.inFlightCount == 0)
  }

  @Test func `a direct chain may take the whole ring`() throws {
    let driver = MockDriver(ram, size: 64, features: [])
    let queue = try driver.config().activate(ram.table())
    let buffer = ram.allocate(64 * 16)
    ram.fill(buffer, 64 * 16, with: 3)
    _ = driver.add((0..<63).map { .readable(buffer + UInt64($0) * 16, 16) } + [.writable(buffer, 16)])
    driver.publish()

    let chain = try #require(try queue.pop())

    #expect(chain.readableByteCount == 63 * 16)
    #expect(chain.writableByteCount == 16)
  }

  @Test func `an indirect table may be longer than the ring, and follow direct descriptors`() throws {
    let driver = MockDriver(ram, size: 4)
    let queue = try driver.config().activate(ram.table())
    let buffer = ram.allocate(4096)
    let table = ram.allocate(16 * 66)
    for index in 0..<66 {
      ram.setDescriptor(
        table, index, address: buffer, byteCount: 8, flags: index == 65 ? 2 : 1, next: UInt16(index + 1))
    }
    driver.setDescriptor(0, address: buffer, byteCount: 24, flags: 1, next: 3)
    // The write flag of an indirect descriptor is ignored.
    driver.setDescriptor(3, address: table, byteCount: 16 * 66, flags: 4 | 2, next: 0)
    driver.expose(head: 0)

    let chain = try #require(try queue.pop())

    #expect(chain.readableByteCount == 24 + 65 * 8)
    #expect(chain.writableByteCount == 8)
  }

  @Test func `an indirect table may lie at any address, across regions`() throws {
    let driver = MockDriver(ram, size: 4)
    let queue = try driver.config().activate(ram.table(regionCount: 2))
    let table = UInt64(2 << 20) - 21
    let buffer = ram.allocate(64)
    // Three hand-written descriptors of 16 bytes at an odd address.
    for index in 0..<3 {
      let fields: [UInt8] = [UInt8(8 * (index + 1)), 0, 0, 0, index == 2 ? 0 : 1, 0, UInt8(index + 1), 0]
      ram.write((0..<8).map { UInt8(truncatingIfNeeded: buffer >> (8 * $0)) } + fields, at: table + UInt64(16 * index))
    }
    driver.setDescriptor(1, address: table, byteCount: 48, flags: 4, next: 0)
    driver.expose(head: 1)

    let chain = try #require(try queue.pop())

    #expect(chain.readableByteCount == 8 + 16 + 24)
  }

  @Test func `answers may come in any order, and late`() throws {
    let driver = MockDriver(ram, size: 8)
    let queue = try driver.config().activate(ram.table())
    let buffer = ram.allocate(64)
    let heads = (0..<4).map { _ in driver.add([.readable(buffer, 1)]) }
    driver.publish()
    for _ in 0..<4 { _ = try queue.pop() }
    #expect(queue.inFlightCount == 4)

    for head in heads.reversed() { queue.push(head: head ?? 0, writtenByteCount: 0) }

    #expect((0..<4).map { _ in driver.takeUsed()?.head } == heads.reversed())
    #expect(queue.inFlightCount == 0)
  }

  @Test func `a chain stays partly writable when memory is removed`() throws {
    let memory = try ram.table()
    let driver = MockDriver(ram, size: 8)
    let queue = try driver.config().activate(memory)
    let buffer = ram.allocate(8, alignment: 1 << 20)
    _ = driver.add([.writable(buffer, 8)])
    driver.publish()
    let chain = try #require(try queue.pop())

    try memory.replaceRegions([try ram.region(byteCount: 1 << 20)])

    #expect([UInt8](repeating: 1, count: 8).withUnsafeBytes { chain.write($0) } == 0)
  }
}
