import GraphicsMemory
import LinuxIO
import Scanout
import TestSupport
import Testing

/// A client's pictures in parts of huge pages.
@Suite("Pictures on huge pages")
struct GatheredPagesTests {
  private let layout = FrameLayout(width: 128, height: 40, strideBytes: 512, offset: 64, format: .xrgb8888)

  private func pixel(_ mapped: MappedBuffer, _ x: Int, _ y: Int) -> UInt32 {
    mapped.pixels.load(fromByteOffset: y * 512 + x * 4, as: UInt32.self)
  }

  @Test func `scattered ranges of two files are read in order, as they are now`() throws {
    let layout = try #require(layout)
    let files = try (0..<2).map { _ in SharedFD(try MemFD.create(name: "part", byteCount: 8 * 4096)) }
    let ranges = [(0, 7), (1, 2), (0, 3), (0, 1), (1, 5), (1, 6)].map { file, page in
      MemoryRange(fd: files[file].raw, offset: page * 4096, byteCount: 4096)
    }
    let pages = try GatheredPages(ranges, layout: layout)
    for round in 0..<2 {
      for (place, range) in ranges.enumerated() {
        let mapping = try Mapping(fd: range.fd, offset: range.offset, byteCount: 4096)
        for index in 0..<1024 {
          mapping.bytes.storeBytes(
            of: UInt32((place * 1024 + index) * 3 + round), toByteOffset: index * 4, as: UInt32.self)
        }
      }
      pages.copy(Rect(width: 128, height: 40))
      let picture = pages.picture
      for (x, y) in [(0, 0), (127, 39), (5, 17), (112, 7), (111, 7)] {
        #expect(pixel(picture, x, y) == UInt32((64 / 4 + y * 128 + x) * 3 + round))
      }
    }
    #expect(!pages.isSpoilt)
    #expect(pages.ledger.copiedBytes == UInt64(2 * 512 * 40), "every byte is counted")

    // Only the rectangle, which crosses the end of a range, is copied.
    for range in ranges {
      let mapping = try Mapping(fd: range.fd, offset: range.offset, byteCount: 4096)
      mapping.bytes.initializeMemory(as: UInt8.self, repeating: 0xEE)
    }
    pages.copy(Rect(x: 5, y: 6, width: 10, height: 4))
    for (x, y, isCopied) in [(5, 6, true), (14, 9, true), (4, 6, false), (15, 6, false), (5, 5, false), (5, 10, false)]
    {
      #expect((pixel(pages.picture, x, y) == 0xEEEE_EEEE) == isCopied, "\(x), \(y)")
    }
    #expect(pages.ledger.copiedBytes == UInt64(2 * 512 * 40 + 10 * 4 * 4))
    // Nothing outside the picture is read.
    for rect in [Rect(x: 128, y: 0, width: 9, height: 9), Rect(x: -9, y: -9, width: 9, height: 9)] { pages.copy(rect) }
    #expect(pages.ledger.copiedBytes == UInt64(2 * 512 * 40 + 10 * 4 * 4))
  }

  @Test(.enabled(if: HugePages.areThere, "this machine gives no huge pages"))
  func `one run inside huge pages is mapped, scattered parts are not`() throws {
    let layout = try #require(layout)
    let huge = try HugePages(4)
    defer { withExtendedLifetime(huge) {} }
    let memory = try huge.makeMemory(count: 2)
    let run = [MemoryRange(fd: memory.raw, offset: HugePages.byteCount - 8192, byteCount: 6 * 4096)]
    let parts = [MemoryRange(fd: memory.raw, offset: 4096, byteCount: 4096), run[0]]
    #expect(MappedBuffer.canMap(run) && !MappedBuffer.canMap(parts))
    let all = try Mapping(fd: memory.raw, byteCount: 2 * HugePages.byteCount)
    all.bytes.storeBytes(of: 0x1234_5678, toByteOffset: HugePages.byteCount - 8192 + 64 + 512 * 30 + 8, as: UInt32.self)
    let mapped = try MappedBuffer(reading: run, owners: [memory], layout: layout)
    #expect(pixel(mapped, 2, 30) == 0x1234_5678)
    all.bytes.storeBytes(of: 0x2233_4455, toByteOffset: 4096 + 64, as: UInt32.self)
    let gathered = try GatheredPages(parts, layout: layout)
    gathered.copy(Rect(width: 128, height: 40))
    #expect(pixel(gathered.picture, 0, 0) == 0x2233_4455)
    #expect(pixel(gathered.picture, 2, 38) == 0x1234_5678)

    try huge.discard(0, of: memory)
    let rest = try huge.takeAll()
    gathered.copy(Rect(width: 128, height: 40))
    #expect(gathered.isSpoilt)
    #expect(try rest.byteCount() > 0)
  }
}
