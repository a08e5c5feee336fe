import GraphicsMemory
import Headless
import LinuxIO
import Outputs
import Scanout
import Testing

@Suite struct VblankGridTests {
  let grid = VblankGrid(epochNanoseconds: 1000, firstSequence: 5, refreshMillihertz: 60_000)

  @Test func `a rate without whole nanoseconds does not drift in a day`() {
    let aDay = 1000 + 86_400 * UInt64(1_000_000_000)
    #expect(grid.time(of: 5 + 86_400 * 60) == aDay)
    #expect(grid.sequence(at: aDay) == 5 + 86_400 * 60)
  }

  @Test func `sequence number and time are inverse`() {
    for sequence in UInt64(6)..<2000 {
      let time = grid.time(of: sequence)
      #expect(grid.sequence(at: time) == sequence)
      #expect(grid.sequence(at: time - 1) == sequence - 1)
    }
  }

  @Test func `a year of 1000 Hz does not overflow`() {
    let fast = VblankGrid(epochNanoseconds: 0, firstSequence: 0, refreshMillihertz: 1_000_000)
    #expect(fast.sequence(at: 31_536_000 * 1_000_000_000) == 31_536_000_000)
  }

  @Test func `times before the epoch are the first vblank`() {
    #expect(grid.sequence(at: 0) == 5)
    #expect(grid.time(of: 0) == 1000)
  }

  @Test func `sequence numbers rise on over a change of the rate`() {
    let now = grid.time(of: 65) + 3
    let changed = grid.changed(toMillihertz: 30_000, at: now)
    #expect(changed.sequence(at: now) == 65)
    #expect(changed.time(of: 66) == grid.time(of: 65) + 33_333_333)
  }
}

@Suite struct HeadlessTests {
  private func bench(_ mode: String = "640x480@60") throws -> OutputBench {
    let loop = try EventLoop()
    let wanted = try #require(DisplayMode(mode))
    return OutputBench(try HeadlessOutput(name: "headless-0", mode: wanted, loop: loop), loop: loop)
  }

  @Test func `flips lie on the grid of the mode`() throws {
    let bench = try bench("64x64@144")
    let buffer = try bench.uniform(0)
    let first = try bench.show(buffer)
    for _ in 0..<20 { try bench.show(buffer) }
    for flip in bench.flips {
      let periods = flip.sequence - first.sequence
      let exact = Double(periods) * 1e9 / 144
      #expect(abs(Double(flip.timeNanoseconds - first.timeNanoseconds) - exact) <= 1)
    }
  }

  @Test func `idle vblanks are counted`() throws {
    let bench = try bench("64x64@200")
    let buffer = try bench.uniform(0)
    let before = try bench.show(buffer)
    try bench.idle(milliseconds: 60)
    let after = try bench.show(buffer)
    #expect(after.sequence - before.sequence >= 12)
  }

  @Test func `nothing wakes an idle output`() throws {
    let bench = try bench("64x64@1000")
    try bench.show(try bench.uniform(0))
    #expect(try bench.loop.runOnce(timeoutMilliseconds: 50) == 0)
  }

  @Test func `the size of the picture is adopted`() throws {
    let bench = try bench()
    let odd = try bench.output.makeBuffer(width: 1366, height: 768, format: .xrgb8888)
    try bench.show(odd)
    #expect(bench.output.info.mode == DisplayMode(width: 1366, height: 768, refreshMillihertz: 60_000))
    #expect(odd.layout.strideBytes == 1366 * 4)
    #expect(bench.changes == 0)
  }

  @Test func `a client's pages are referenced out of order and across ranges`() throws {
    let bench = try bench("64x64@500")
    let layout = try #require(FrameLayout(width: 64, height: 64, strideBytes: 256, format: .xrgb8888))
    let memory = try filledMemfd(layout, byteCount: 16384, pattern)
    let swapped = [(8192, 4096), (0, 4096), (4096, 4096), (12288, 4096)].map {
      MemoryRange(fd: memory.raw, offset: $0.0, byteCount: $0.1)
    }
    let buffer = try bench.output.importBuffer(.memfd(swapped, [memory]), layout: layout, modifier: 0)
    try bench.show(buffer)
    let seen = try buffer.mapped()
    #expect(colour(seen, 5, 3) == pattern(5, 32 + 3))
    #expect(colour(seen, 5, 16 + 3) == pattern(5, 3))
    #expect(colour(seen, 63, 63) == pattern(63, 63))
  }

  @Test func `pages that a client could remove are refused`() throws {
    let bench = try bench()
    let layout = try #require(FrameLayout(width: 32, height: 32, strideBytes: 128, format: .xrgb8888))
    let memory = try filledMemfd(layout, byteCount: 4096) { _, _ in 0 }
    let outside = ImportedMemory.memfd([MemoryRange(fd: memory.raw, offset: 4096, byteCount: 4096)], [memory])
    #expect(throws: OutputError.rejected("range 0 exceeds its memfd's 4096 bytes")) {
      try bench.output.importBuffer(outside, layout: layout, modifier: 0)
    }
    let stranger = ImportedMemory.memfd([MemoryRange(fd: 0, offset: 0, byteCount: 4096)], [memory])
    #expect(throws: OutputError.rejected("range 0 names a descriptor that was not sent")) {
      try bench.output.importBuffer(stranger, layout: layout, modifier: 0)
    }
    let unsealed = SharedFD(try OwnedFD.open("/dev/zero", flags: 2))
    #expect(throws: OutputError.rejected("the memfd of range 0 lacks F_SEAL_SHRINK")) {
      try bench.output.importBuffer(
        .memfd([MemoryRange(fd: unsealed.raw, offset: 0, byteCount: 4096)], [unsealed]), layout: layout, modifier: 0)
    }
  }

  @Test func `a closed output refuses commits`() throws {
    let bench = try bench()
    let buffer = try bench.uniform(0)
    try bench.commit(buffer)
    bench.output.close()
    #expect(!bench.output.isCommitPending)
    #expect(throws: OutputError.gone("headless-0 is closed")) { try bench.commit(buffer) }
  }
}
