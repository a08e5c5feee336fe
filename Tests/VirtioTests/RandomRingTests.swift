import FrameSimulator
import GuestMemory
import TestSupport
import Testing
import Virtio

struct RandomRingTests {
  @Test(.timeLimit(.minutes(1)), arguments: 1...16 as ClosedRange<UInt64>)
  func `a ring of random bytes never traps`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let ram = try GuestRAM(byteCount: 1 << 16)
    let memory = try ram.table(regionCount: 2)
    let size = 1 << Int.random(in: 0...6, using: &random)
    let driver = MockDriver(ram, size: size)
    var chains = 0
    var buffer = [UInt8](repeating: 0, count: 512)
    for _ in 0..<300 {
      scramble(ram, driver, &random)
      let queue = try driver.config(nextAvail: .random(in: 0...3, using: &random)).activate(memory)
      var heads: [UInt16] = []
      do throws(VirtqueueError) {
        for _ in 0..<20 {
          guard let chain = try queue.pop() else { break }
          chains += 1
          _ = buffer.withUnsafeMutableBytes { chain.read(into: $0, offset: .random(in: -1...600, using: &random)) }
          _ = buffer.withUnsafeBytes { chain.write($0, at: .random(in: -1...600, using: &random)) }
          heads.append(chain.head)
          if Bool.random(using: &random), let head = heads.popLast() {
            queue.push(head: head, writtenByteCount: .random(in: 0 ... .max, using: &random))
          }
          _ = queue.needsNotification()
          _ = queue.enableNotifications()
        }
      } catch {
        #expect(!error.description.isEmpty)
      }
      for head in heads { queue.push(head: head, writtenByteCount: 1) }
    }
    #expect(chains > 0)
  }

  /// Descriptors and indices that are mostly wrong, but right often enough to reach deeper checks.
  private func scramble(_ ram: GuestRAM, _ driver: MockDriver, _ random: inout SeededGenerator) {
    let addresses: [UInt64] = [0, 0x7ff0, 0x8000, 0xfff0, 0x10000, 1 << 32, .max, .max - 15, driver.descriptorTable]
    let lengths: [UInt32] = [0, 1, 16, 32, 64, 4096, 0x8000, 1 << 31, .max]
    for index in 0..<driver.size {
      driver.setDescriptor(
        index, address: addresses.randomElement(using: &random) ?? 0,
        byteCount: lengths.randomElement(using: &random) ?? 0, flags: .random(in: 0...7, using: &random),
        next: .random(in: 0...UInt16(driver.size), using: &random))
      driver.setAvail(UInt16(index), head: .random(in: 0...UInt16(driver.size), using: &random))
    }
    driver.setAvailIndex(.random(in: 0...UInt16(driver.size + 3), using: &random))
    driver.setUsedEvent(.random(in: 0 ... .max, using: &random))
  }

  @Test(.timeLimit(.minutes(1)), arguments: 1...8 as ClosedRange<UInt64>)
  func `a driver that follows the rules gets every answer once`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let ram = try GuestRAM(byteCount: 1 << 20)
    let memory = try ram.table(regionCount: 3)
    let driver = MockDriver(
      ram, size: 16, features: seed % 2 == 0 ? [.eventIndex, .indirectDescriptors] : [.indirectDescriptors])
    driver.start(at: 65000)
    let queue = try driver.config(nextAvail: 65000).activate(memory)
    let buffer = ram.allocate(4096)
    var popped: [UInt16] = []
    var expected: Set<UInt16> = []
    var added = 0
    var answered = 0
    while answered < 3000 {
      if added < 3000, Bool.random(using: &random) {
        let count = Int.random(in: 1...5, using: &random)
        if let head = driver.add((0..<count).map { _ in .readable(buffer, 8) }, indirect: .random(using: &random)) {
          #expect(expected.insert(head).inserted)
          added += 1
        }
        driver.publish()
      }
      if let chain = try queue.pop() { popped.append(chain.head) }
      if let index = popped.indices.randomElement(using: &random), Bool.random(using: &random) {
        queue.push(head: popped.remove(at: index), writtenByteCount: 0)
      }
      while let used = driver.takeUsed() {
        #expect(expected.remove(used.head) != nil)
        answered += 1
      }
    }
    #expect(queue.inFlightCount == 0)
    #expect(expected.isEmpty)
  }
}
