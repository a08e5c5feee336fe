import Glibc
import GraphicsMemory
import GuestMemory
import LinuxIO
import TestSupport
import Testing

struct GuestMemoryTests {
  let ram: GuestRAM

  init() throws { ram = try GuestRAM(byteCount: 64 << 10) }

  @Test func `an address resolves inside one region and nowhere else`() throws {
    let memory = try ram.table(regionCount: 2)

    #expect(memory.contiguous(0, 32 << 10) == memory.regions[0].base)
    #expect(memory.contiguous(32 << 10, 32 << 10) == memory.regions[1].base)
    #expect(memory.contiguous(100, 1) == memory.regions[0].base + 100)
    #expect(memory.contiguous((32 << 10) - 1, 2) == nil)
    #expect(memory.contiguous(64 << 10, 1) == nil)
    #expect(memory.contiguous(0, 0) == nil)
    #expect(memory.contiguous(0, -1) == nil)
  }

  @Test(arguments: [UInt64.max, .max - 1, 1 << 63, 1 << 32, 0xffff] as [UInt64])
  func `addresses near the ends of 64 bits are outside`(_ address: UInt64) throws {
    let memory = try ram.table()

    #expect(memory.contiguous(address, 2) == nil)
    #expect(memory.contiguous(address, Int.max) == nil)
    #expect(!memory.contains(address, 2))
    #expect(!memory.contains(address, Int.max))
    #expect(memory.fileRange(address, 2) == nil)
    #expect(memory.userAddressToPointer(address, 2) == nil)
  }

  @Test func `copies cross the border of two regions`() throws {
    let memory = try ram.table(regionCount: 2)
    let address = UInt64((32 << 10) - 3)

    #expect([1, 2, 3, 4, 5, 6].withUnsafeBytes { memory.copyOut($0, to: address) })
    var back = [Int](repeating: 0, count: 6)
    #expect(back.withUnsafeMutableBytes { memory.copyIn(from: address, into: $0) })

    #expect(back == [1, 2, 3, 4, 5, 6])
    #expect(ram.bytes[Int(address)] == 1)
    var sizes: [Int] = []
    #expect(memory.forEachPiece(address, 48) { sizes.append($0.count) })
    #expect(sizes == [3, 45])
  }

  @Test func `a copy with one byte outside copies nothing`() throws {
    let memory = try ram.table(regionCount: 2)

    #expect([UInt8](repeating: 7, count: 9).withUnsafeBytes { !memory.copyOut($0, to: (64 << 10) - 8) })
    var calls = 0
    #expect(!memory.forEachPiece(0, (64 << 10) + 1) { _ in calls += 1 })

    #expect(calls == 0)
    #expect(ram.bytes[(64 << 10) - 8] == 0)
  }

  @Test func `a hole between regions is outside`() throws {
    let memory = GuestMemory()
    try memory.replaceRegions([try ram.region(byteCount: 4096), try ram.region(from: 8192, byteCount: 4096)])

    #expect(memory.contains(0, 4096))
    #expect(memory.contains(8192, 4096))
    #expect(!memory.contains(4095, 2))
    #expect(!memory.contains(4096, 1))
    #expect(!memory.contains(0, 8193))
  }

  @Test func `file ranges name the memfd and the offset in it`() throws {
    let memory = try ram.table(regionCount: 2)

    let range = try #require(memory.fileRange(0x9000, 0x1000))

    #expect(range.fd == ram.fd.raw)
    #expect(range.offset == 0x9000)
    #expect(range.byteCount == 0x1000)
    #expect(memory.fileRange(0x7000, 0x2000) == nil)
  }

  @Test func `the frontend's addresses resolve too`() throws {
    let memory = try ram.table(regionCount: 2)

    #expect(memory.userAddressToPointer(ram.userAddress + 0x8010, 16) == memory.regions[1].base + 0x10)
    #expect(memory.userAddressToPointer(ram.userAddress + 0x7ff8, 16) == nil)
    #expect(memory.userAddressToPointer(ram.userAddress &- 1, 1) == nil)
  }

  @Test func `regions come and go, and each change raises the generation`() throws {
    let memory = GuestMemory()
    try memory.addRegion(try ram.region(byteCount: 4096))
    try memory.addRegion(try ram.region(from: 4096, byteCount: 4096))
    let generation = memory.generation

    #expect(throws: GuestMemoryError.noSuchRegion(guestAddress: 0, byteCount: 8192)) {
      try memory.removeRegion(guestAddress: 0, userAddress: ram.userAddress, byteCount: 8192)
    }
    #expect(memory.generation == generation)
    try memory.removeRegion(guestAddress: 0, userAddress: ram.userAddress, byteCount: 4096)

    #expect(memory.generation == generation + 1)
    #expect(!memory.contains(0, 1))
    #expect(memory.contains(4096, 4096))
  }

  @Test func `overlapping regions are refused and change nothing`() throws {
    let memory = try ram.table()
    let generation = memory.generation

    #expect(throws: GuestMemoryError.regionsOverlap(guestAddress: 4096, otherGuestAddress: 0)) {
      try memory.replaceRegions([try ram.region(from: 4096), try ram.region(byteCount: 4097)])
    }

    #expect(memory.generation == generation)
    #expect(memory.contains(0, 64 << 10))
  }

  @Test func `a file offset inside a page is mapped correctly`() throws {
    ram.bytes[5000] = 42
    let memory = GuestMemory()

    try memory.addRegion(try ram.region(from: 5000, byteCount: 10000))

    #expect(memory.contiguous(5000, 1)?.load(as: UInt8.self) == 42)
    #expect(memory.contains(5000, 10000))
    #expect(!memory.contains(4999, 1))
    #expect(!memory.contains(5000, 10001))
  }
}
