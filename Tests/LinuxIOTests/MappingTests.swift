import Glibc
import TestSupport
import Testing

@testable import LinuxIO

/// Memory that others take away while it is mapped.
@Suite("Missing memory")
struct MappingTests {
  /// A memfd that can shrink.
  private func file(pages: Int) throws -> SharedFD {
    let memory = SharedFD(try MemFD.createEmpty(name: "test"))
    try #require(ftruncate(memory.raw, pages * pageByteCount) == 0)
    return memory
  }

  @Test func `zeros take the place of a missing page, and the mapping is spoilt`() throws {
    let memory = try file(pages: 3)
    let mapping = try Mapping(fd: memory.raw, byteCount: 3 * pageByteCount)
    let other = try Mapping(fd: memory.raw, byteCount: pageByteCount)
    for index in mapping.bytes.indices { mapping.bytes[index] = 7 }
    let before = Mapping.faultCount
    #expect(mapping.isSpoilt == false)
    #expect(ftruncate(memory.raw, pageByteCount) == 0)
    #expect(mapping.bytes[pageByteCount + 9] == 0)
    #expect(mapping.faultOffset == pageByteCount + 9)
    #expect(mapping.isSpoilt && !other.isSpoilt)
    #expect(Mapping.faultCount > before)
    #expect(mapping.bytes[0] == 7, "the first fault costs one page")
    #expect(mapping.bytes[2 * pageByteCount] == 0)
    #expect(mapping.bytes[0] == 0, "the second fault costs the mapping")
    mapping.bytes[5] = 9
    #expect(mapping.bytes[5] == 9, "writes go on")
    #expect(other.bytes[0] == 7 && other.bytes[5] == 7)
    #expect(mapping.faultOffset == pageByteCount + 9)
  }

  @Test func `a read-only mapping and one of pieces are spoilt alike`() throws {
    let memory = try file(pages: 4)
    let reading = try Mapping(fd: memory.raw, byteCount: 4 * pageByteCount, writable: false)
    let pieces = try Mapping(
      pieces: [3, 1].map { Mapping.Piece(fd: memory.raw, offset: $0 * pageByteCount, byteCount: pageByteCount) },
      writable: false)
    #expect(ftruncate(memory.raw, 2 * pageByteCount) == 0)
    #expect(reading.bytes[2 * pageByteCount] == 0)
    #expect(pieces.bytes[3] == 0)
    #expect([reading.faultOffset, pieces.faultOffset] == [2 * pageByteCount, 3])
  }

  @Test func `of many mappings only the one with the fault is spoilt`() throws {
    final class Box {
      let mapping: Mapping
      init(_ mapping: consuming Mapping) { self.mapping = mapping }
    }
    let (good, bad) = (try file(pages: 1), try file(pages: 1))
    var boxes: [Box] = []
    for index in 0..<1200 {
      boxes.append(Box(try Mapping(fd: index == 700 ? bad.raw : good.raw, byteCount: pageByteCount)))
    }
    // Entries of the table are used again.
    boxes.removeSubrange(0..<300)
    for _ in 0..<200 { boxes.append(Box(try Mapping(fd: good.raw, byteCount: pageByteCount))) }
    #expect(ftruncate(bad.raw, 0) == 0)
    for box in boxes { #expect(box.mapping.bytes[0] == 0) }
    #expect(boxes.indices.filter { boxes[$0].mapping.isSpoilt } == [400])
  }

  @Test(arguments: ["outside", "sent", "unguarded", "gone"])
  func `a SIGBUS that is not of a guarded mapping ends the process as before`(kind: String) throws {
    let result = try Programs.run("test-faults", [kind], environment: ["SWIFT_BACKTRACE": "enable=no"])
    #expect(result.exit == .signal(SIGBUS), "\(result.exit) \(result.error)")
  }

  @Test func `a SIGBUS that is not of a guarded mapping reaches the program's own handler`() throws {
    #expect(try Programs.run("test-faults", ["handled"]).exit == .status(3))
    #expect(try Programs.run("test-faults", ["guarded"]).exit == .status(0))
  }

  @Test func `two threads that meet missing pages at once both go on`() async throws {
    let memory = try file(pages: 64)
    let mapping = try Mapping(fd: memory.raw, byteCount: 64 * pageByteCount)
    #expect(ftruncate(memory.raw, 0) == 0)
    let base = UInt(bitPattern: mapping.base)
    await withTaskGroup(of: UInt8.self) { group in
      for page in 0..<64 {
        group.addTask {
          UnsafeRawPointer(bitPattern: base + UInt(page * pageByteCount))?.load(as: UInt8.self) ?? 1
        }
      }
      for await byte in group { #expect(byte == 0) }
    }
    #expect(mapping.isSpoilt == true)
  }

  // MARK: - Huge pages

  @Test(.enabled(if: HugePages.areThere, "this machine gives no huge pages"))
  func `parts of huge pages are mapped at any offset, and nothing stays behind`() throws {
    let huge = try HugePages(4)
    defer { withExtendedLifetime(huge) {} }
    let unit = HugePages.byteCount
    do {
      let memory = try huge.makeMemory(count: 3)
      let whole = try Mapping(fd: memory.raw, byteCount: 3 * unit)
      for page in 0..<3 { whole.bytes[page * unit + 4096] = UInt8(page + 1) }
      for _ in 0..<20 {
        let header = try Mapping(fd: memory.raw, byteCount: 64 << 10)
        let inside = try Mapping(fd: memory.raw, offset: unit - 8192, byteCount: 16384)
        #expect(header.bytes[4096] == 1 && inside.byteCount == 16384 && inside.bytes[8192 + 4096] == 2)
        let pieces = try Mapping(
          pieces: [
            Mapping.Piece(fd: memory.raw, offset: 2 * unit + 4096, byteCount: unit - 4096),
            Mapping.Piece(fd: memory.raw, offset: 0, byteCount: unit + 8192),
          ], writable: false)
        #expect(pieces.byteCount == 2 * unit + 4096)
        #expect(pieces.bytes[0] == 3 && pieces.bytes[unit - 4096 + 4096] == 1 && pieces.bytes[2 * unit] == 2)
      }
    }
    #expect(HugePages.freeCount >= 4, "mappings that are not unmapped keep their pages")
  }

  @Test(.enabled(if: HugePages.areThere, "this machine gives no huge pages"))
  func `a discarded huge page without a free one costs that page of one mapping`() throws {
    let huge = try HugePages(4)
    defer { withExtendedLifetime(huge) {} }
    let unit = HugePages.byteCount
    let memory = try huge.makeMemory(count: 2)
    let mapping = try Mapping(fd: memory.raw, offset: 4096, byteCount: 2 * unit - 4096)
    mapping.bytes[0] = 1
    mapping.bytes[unit] = 2
    try huge.discard(1, of: memory)
    let rest = try huge.takeAll()
    #expect(mapping.bytes[unit + 100] == 0)
    #expect(mapping.faultOffset == unit + 100 && mapping.bytes[0] == 1)
    #expect(try rest.byteCount() > 0)
  }

  // MARK: - Plans

  private func piece(_ fd: Int32, _ offset: Int, _ byteCount: Int) -> Mapping.Piece {
    Mapping.Piece(fd: fd, offset: offset, byteCount: byteCount)
  }

  private func plan(_ pieces: [Mapping.Piece]) -> PiecePlan? {
    try? PiecePlan(pieces) { $0 == 3 ? 4096 : 0x20_0000 }
  }

  @Test func `a plan maps the whole pages around its pieces`() throws {
    let small = try #require(plan([piece(3, 8192, 4096), piece(3, 0, 100)]))
    #expect(small.places.map(\.fileOffset) == [8192, 0] && small.places.map(\.byteCount) == [4096, 4096])
    #expect((small.skip, small.pieceByteCount, small.byteCount, small.largestUnit) == (0, 4196, 8192, 4096))
    let run = try #require(plan([piece(4, 0x1F_F000, 0x2000)]))
    #expect(run.places.map(\.fileOffset) == [0] && run.places.map(\.byteCount) == [0x40_0000])
    #expect((run.skip, run.pieceByteCount, run.byteCount) == (0x1F_F000, 0x2000, 0x40_0000))
    let mixed = try #require(plan([piece(4, 0x1000, 0x1F_F000), piece(3, 0, 0x20_0000), piece(4, 0x40_0000, 1)]))
    #expect(mixed.places.map(\.start) == [0, 0x20_0000, 0x40_0000] && mixed.byteCount == 0x60_0000)
  }

  @Test func `parts of huge pages in the middle are refused with the size of the page`() throws {
    let error = #expect(throws: SystemError.self) {
      try PiecePlan([piece(4, 0, 4096), piece(4, 8192, 4096)]) { _ in 0x20_0000 }
    }
    let words = try #require(error).description
    #expect(
      words == "mmap 4096 bytes at 0, which are not whole pages of 2097152 bytes: Invalid argument (errno 22)")
    #expect(plan([piece(3, 0, 4096), piece(4, 0, 4096)]) == nil)
    #expect(plan([piece(4, 0, 0x20_0000), piece(4, 0x20_1000, 4096)]) == nil)
  }

  @Test(arguments: [(-1, 4096), (0, 0), (0, -1), (Int.max, 1), (0, Int.max), (4096, 1 << 60)])
  func `numbers that overflow are refused`(offset: Int, byteCount: Int) throws {
    #expect(plan([piece(3, offset, byteCount)]) == nil)
    #expect(plan([piece(3, 0, 4096), piece(3, offset, byteCount)]) == nil)
    #expect(plan([]) == nil)
    let memory = try file(pages: 1)
    let raw = memory.raw
    #expect(throws: SystemError.self) { _ = try Mapping(fd: raw, offset: offset, byteCount: byteCount) }
  }
}
