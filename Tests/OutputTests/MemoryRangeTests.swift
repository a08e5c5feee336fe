import GraphicsMemory
import LinuxIO
import Scanout
import Testing

@Suite struct MemoryRangeTests {
  let memory: SharedFD
  let layout: FrameLayout

  init() throws {
    memory = SharedFD(try MemFD.create(name: "ranges", byteCount: 5 * 4096))
    layout = try #require(FrameLayout(width: 64, height: 64, strideBytes: 256, format: .xrgb8888))
  }

  private func range(_ offset: Int, _ byteCount: Int) -> MemoryRange {
    MemoryRange(fd: memory.raw, offset: offset, byteCount: byteCount)
  }

  @Test func `neighbouring ranges are merged`() throws {
    let pages = (0..<5).map { range($0 * 4096, 4096) }
    #expect(try MemoryRange.checked(pages, descriptors: [memory], layout: layout) == [range(0, 5 * 4096)])
    #expect(MemoryRange.merged([pages[2], pages[0], pages[1]]) == [pages[2], range(0, 2 * 4096)])
  }

  @Test(arguments: [(1, 4096), (0, 4095), (0, 0), (-4096, 4096), (0, -4096)])
  func `ranges that are not whole pages are refused`(offset: Int, byteCount: Int) {
    #expect(throws: MemoryRangeError.misaligned(index: 1)) {
      try MemoryRange.checked([range(0, 4096), range(offset, byteCount)], descriptors: [memory], layout: layout)
    }
  }

  @Test func `numbers that overflow are an error`() {
    let huge = Int.max / 4096 * 4096
    #expect(throws: MemoryRangeError.outsideFile(index: 0, fileByteCount: 5 * 4096)) {
      try MemoryRange.checked([range(huge, huge)], descriptors: [memory], layout: layout)
    }
  }

  @Test func `ranges shorter than the picture are refused`() {
    #expect(throws: MemoryRangeError.tooSmall(byteCount: 4096, needed: 16384)) {
      try MemoryRange.checked([range(0, 4096)], descriptors: [memory], layout: layout)
    }
    #expect(throws: MemoryRangeError.tooSmall(byteCount: 0, needed: 16384)) {
      try MemoryRange.checked([], descriptors: [memory], layout: layout)
    }
  }
}
