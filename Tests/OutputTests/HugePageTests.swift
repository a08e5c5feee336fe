import GraphicsMemory
import KMS
import LinuxIO
import Outputs
import Scanout
import TestSupport
import Testing

extension OutputConformance {
  /// Imports of a guest's pages whose memory is hugetlb. A driver that takes no imports refuses these like others.
  @Suite(.serialized, .enabled(if: HugePages.areThere, "this machine gives no huge pages"))
  struct ImportFromHugePages {
    /// Writes the pattern into pages of a file.
    private static func draw(_ memory: SharedFD, _ offsets: [Int], _ layout: FrameLayout) throws {
      let mapping = try Mapping(fd: memory.raw, byteCount: memory.byteCount())
      for word in 0..<(layout.byteCount / 4) {
        let place = offsets[word / 1024] + word % 1024 * 4
        mapping.bytes.storeBytes(
          of: pattern(word % layout.width, word / layout.width), toByteOffset: place, as: UInt32.self)
      }
    }

    private static func imported(
      _ bench: OutputBench, _ memory: SharedFD, _ offsets: [Int]
    ) throws -> (any ScanoutBuffer)? {
      let mode = bench.output.info.mode
      let layout = try #require(
        FrameLayout(width: mode.width, height: mode.height, strideBytes: mode.width * 4, format: .xrgb8888))
      try draw(memory, offsets, layout)
      let ranges = offsets.map { MemoryRange(fd: memory.raw, offset: $0, byteCount: 4096) }
      do throws(OutputError) {
        return try bench.output.importBuffer(.memfd(ranges, [memory]), layout: layout, modifier: 0)
      } catch {
        guard case .rejected(let why) = error else { throw error }
        print("OutputTests: huge pages on \(bench.output.info.name): \(why)")
        let driver = bench.card?.driverName ?? "headless"
        #expect(driver != "vkms" && driver != "headless", "\(why)")
        return nil
      }
    }

    @Test(arguments: TestScreen.all, [true, false])
    func `pages of huge pages are shown and read, in one run or scattered`(screen: TestScreen, isRun: Bool) throws {
      let bench = try screen.open()
      defer { bench.close() }
      let mode = bench.output.info.mode
      let pages = (mode.width * mode.height * 4 + 4095) / 4096
      // From the middle of the first huge page on; scattered in pairs that are swapped.
      let offsets = (0..<pages).map { (129 + (isRun ? $0 : $0 ^ 1)) * 4096 }
      let count = (131 + pages) * 4096 / HugePages.byteCount + 1
      let huge = try HugePages(count)
      defer { withExtendedLifetime(huge) {} }
      let memory = try huge.makeMemory(count: count)
      guard let buffer = try Self.imported(bench, memory, offsets) else { return }
      try bench.show(buffer)
      if let seen = try bench.output.capture() { #expect(differences(seen, pattern) == 0) }
      let mapped = try buffer.mapped()
      buffer.refresh(buffer.layout.bounds)
      #expect(differences(mapped, pattern) == 0)
      #expect(!buffer.isSpoilt)
      try bench.show(try bench.uniform(0))
      print("OutputTests: huge pages on \(screen.testDescription): shown")
    }

    @Test func `a discarded huge page spoils the buffer, not the process`() throws {
      let bench = try TestScreen.headless.open()
      defer { bench.close() }
      let mode = bench.output.info.mode
      let pages = (mode.width * mode.height * 4 + 4095) / 4096
      let count = pages * 4096 / HugePages.byteCount + 1
      let huge = try HugePages(count)
      defer { withExtendedLifetime(huge) {} }
      let memory = try huge.makeMemory(count: count)
      let buffer = try #require(try Self.imported(bench, memory, (0..<pages).map { $0 * 4096 }))
      let picture = try buffer.mapped()
      #expect(differences(picture, pattern) == 0)
      try huge.discard(0, of: memory)
      let rest = try huge.takeAll()
      #expect(colour(picture, 0, 0) == 0)
      #expect(buffer.isSpoilt)
      #expect(try rest.byteCount() > 0)
    }
  }
}
