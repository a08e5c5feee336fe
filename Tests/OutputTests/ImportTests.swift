import GraphicsMemory
import KMS
import LinuxIO
import Outputs
import Scanout
import Testing

extension OutputConformance {
  /// Imports of clients' pages.
  @Suite(.serialized) struct Import {
    /// Whether the driver is known not to import; for others the failure names the driver.
    private static func refuses(_ bench: OutputBench, _ why: String) -> Bool {
      guard let driver = bench.card?.driverName, driver != "vkms" else { return false }
      return why.contains(driver)
    }

    @Test(arguments: TestScreen.all)
    func `a client's pages are shown, or refused with the reason`(screen: TestScreen) throws {
      let bench = try screen.open()
      defer { bench.close() }
      let mode = bench.output.info.mode
      let layout = try #require(
        FrameLayout(width: mode.width, height: mode.height, strideBytes: mode.width * 4, format: .xrgb8888))
      let byteCount = try #require(roundedUpToPages(layout.byteCount))
      let memory = try filledMemfd(layout, byteCount: byteCount, pattern)
      // Two adjacent ranges of the file become one.
      let ranges = [
        MemoryRange(fd: memory.raw, offset: 0, byteCount: 4096),
        MemoryRange(fd: memory.raw, offset: 4096, byteCount: byteCount - 4096),
      ]
      do {
        let buffer = try bench.output.importBuffer(.memfd(ranges, [memory]), layout: layout, modifier: 0)
        try bench.show(buffer)
        #expect(colour(try buffer.mapped(), 77, 55) == pattern(77, 55))
        if let seen = try bench.output.capture() { #expect(differences(seen, pattern) == 0) }
        // Import the same memory again and drop the first import: they share nothing that could be closed twice.
        let again = try bench.output.importBuffer(.memfd(ranges, [memory]), layout: layout, modifier: 0)
        try bench.show(again)
        try bench.show(again)
        if let seen = try bench.output.capture() { #expect(differences(seen, pattern) == 0) }
        print("OutputTests: import on \(screen.testDescription): taken")
        #expect(bench.card?.driverName != "virtio_gpu")
      } catch OutputError.rejected(let why) {
        print("OutputTests: import on \(screen.testDescription): \(why)")
        #expect(Import.refuses(bench, why), "\(why)")
      }
    }

    @Test(arguments: TestScreen.all)
    func `scattered pages are shown in order`(screen: TestScreen) throws {
      let bench = try screen.open()
      defer { bench.close() }
      let mode = bench.output.info.mode
      let layout = try #require(
        FrameLayout(width: mode.width, height: mode.height, strideBytes: mode.width * 4, format: .xrgb8888))
      let byteCount = try #require(roundedUpToPages(layout.byteCount))
      // The picture's pages are in reverse order in the file.
      let pages = byteCount / 4096
      let memory = SharedFD(try MemFD.create(name: "scattered", byteCount: byteCount))
      let ranges = (0..<pages).map {
        MemoryRange(fd: memory.raw, offset: (pages - 1 - $0) * 4096, byteCount: 4096)
      }
      let mapping = try Mapping(fd: memory.raw, byteCount: byteCount)
      for word in 0..<(layout.byteCount / 4) {
        let place = (pages - 1 - word / 1024) * 4096 + word % 1024 * 4
        mapping.base.storeBytes(of: pattern(word % mode.width, word / mode.width), toByteOffset: place, as: UInt32.self)
      }
      do {
        let buffer = try bench.output.importBuffer(.memfd(ranges, [memory]), layout: layout, modifier: 0)
        try bench.show(buffer)
        if let seen = try bench.output.capture() { #expect(differences(seen, pattern) == 0) }
      } catch OutputError.rejected(let why) {
        #expect(Import.refuses(bench, why), "\(why)")
      }
    }

    @Test(arguments: TestScreen.all)
    func `another buffer's dma-buf is shown, and a short one refused`(screen: TestScreen) throws {
      let bench = try screen.open()
      defer { bench.close() }
      guard screen == .kms else { return }
      let mode = bench.output.info.mode
      let own = try bench.output.makeBuffer(width: mode.width, height: mode.height, format: .xrgb8888)
      try fill(own, pattern)
      let fd = SharedFD(try own.descriptor())
      let tall = try #require(
        FrameLayout(width: mode.width, height: mode.height * 4, strideBytes: own.layout.strideBytes, format: .xrgb8888))
      #expect(throws: OutputError.self) {
        try bench.output.importBuffer(.dmaBuf(fd), layout: tall, modifier: 0)
      }
      let imported = try bench.output.importBuffer(.dmaBuf(fd), layout: own.layout, modifier: 0)
      try bench.show(imported)
      if let seen = try bench.output.capture() { #expect(differences(seen, pattern) == 0) }
    }

    @Test(arguments: TestScreen.all)
    func `pages that a client could remove are refused`(screen: TestScreen) throws {
      let bench = try screen.open()
      defer { bench.close() }
      let layout = try #require(FrameLayout(width: 32, height: 32, strideBytes: 128, format: .xrgb8888))
      let unsealed = SharedFD(try OwnedFD.open("/dev/zero", flags: 2))
      #expect(throws: OutputError.self) {
        try bench.output.importBuffer(
          .memfd([MemoryRange(fd: unsealed.raw, offset: 0, byteCount: 4096)], [unsealed]), layout: layout, modifier: 0)
      }
      let short = SharedFD(try MemFD.create(name: "short", byteCount: 4096))
      let tall = try #require(FrameLayout(width: 32, height: 64, strideBytes: 128, format: .xrgb8888))
      #expect(throws: OutputError.self) {
        try bench.output.importBuffer(
          .memfd([MemoryRange(fd: short.raw, offset: 0, byteCount: 4096)], [short]), layout: tall, modifier: 0)
      }
    }

    @Test(.enabled(if: TestScreen.card != nil))
    func `an error names udmabuf's limits`() throws {
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      let layout = try #require(FrameLayout(width: 1024, height: 2048, strideBytes: 4096, format: .xrgb8888))
      let memory = SharedFD(try MemFD.create(name: "many", byteCount: 2048 * 4096))
      let ranges = (0..<2048).map { MemoryRange(fd: memory.raw, offset: ($0 ^ 1) * 4096, byteCount: 4096) }
      #expect(throws: OutputError.rejected("2048 ranges of memory exceed udmabuf's list_limit of 1024")) {
        try bench.output.importBuffer(.memfd(ranges, [memory]), layout: layout, modifier: 0)
      }
      let large = SharedFD(try MemFD.create(name: "large", byteCount: 65 << 20))
      let whole = MemoryRange(fd: large.raw, offset: 0, byteCount: 65 << 20)
      #expect(throws: OutputError.rejected("68157440 bytes exceed udmabuf's size_limit_mb of 64")) {
        try bench.output.importBuffer(.memfd([whole], [large]), layout: layout, modifier: 0)
      }
    }
  }
}
