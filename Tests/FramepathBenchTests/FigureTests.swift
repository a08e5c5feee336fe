import LinuxIO
import Testing

@testable import FramepathBench

struct FigureTests {
  @Test func `a spread has the middle of an odd number and the mean of an even one`() {
    let odd = Spread([5, 1, 3])
    #expect((odd.min, odd.median, odd.max) == (1, 3, 5))
    #expect(Spread([4, 1, 2, 9]).median == 3)
    #expect(Spread([]).max == 0)
  }

  @Test func `percentiles are values that were there`() {
    let figures = Percentiles((1...200).map { UInt64($0) })
    #expect((figures.median, figures.p90, figures.p99, figures.max) == (100, 180, 198, 200))
    #expect(figures.count == 200)
    #expect(Percentiles([]).p99 == 0)
    #expect(Percentiles([7]).median == 7)
  }

  @Test func `private memory leaves frame buffers and guest RAM out`() {
    let smaps = """
      55d0c0000000-55d0c0001000 r-xp 00000000 08:01 42  /usr/bin/framepathd
      Size:                  4 kB
      Private_Clean:         4 kB
      Private_Dirty:         8 kB
      7f0000000000-7f0000800000 rw-s 00000000 00:01 7   /memfd:frame (deleted)
      Private_Dirty:      8192 kB
      7f0001000000-7f0001001000 rw-p 00000000 00:00 0
      Private_Clean:         0 kB
      Private_Dirty:        16 kB
      """
    let memory = ProcessMemory(smaps: smaps)
    #expect(memory.privateBytes == 28 * 1024)
    #expect(memory.bufferBytes == 8192 * 1024)
  }

  @Test func `this process has used its CPU`() throws {
    let before = try ProcessFigures(pid: currentProcessID(), name: "test")
    var probe = try MemcpyProbe(byteCount: 1 << 20)
    probe.run(milliseconds: 30)
    let used = try ProcessFigures(pid: currentProcessID(), name: "test").since(before)
    #expect(used.cpuNanoseconds > 1_000_000)
    #expect(probe.nanosecondsPerPicture > 0)
  }

  @Test func `a process that is gone is named`() {
    #expect(throws: BenchError.self) { _ = try ProcessFigures(pid: 0x7FFF_FFF0, name: "framepathd") }
  }
}
