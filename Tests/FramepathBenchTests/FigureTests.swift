import LinuxIO
import StatusModel
import Testing

@testable import FramepathBench

struct FigureTests {
  @Test func `the median of an odd number of values is the middle one, of an even number the mean`() {
    let odd = Spread([5, 1, 3])
    #expect((odd.min, odd.median, odd.max) == (1, 3, 5))
    #expect(Spread([4, 1, 2, 9]).median == 3)
    #expect(Spread([]).max == 0)
  }

  @Test func `percentiles are values that occurred`() {
    let figures = Percentiles((1...200).map { UInt64($0) })
    #expect((figures.median, figures.p90, figures.p99, figures.max) == (100, 180, 198, 200))
    #expect(figures.count == 200)
    #expect(Percentiles([]).p99 == 0)
    #expect(Percentiles([7]).median == 7)
  }

  @Test func `stages are measured from the kick, for frames that reached them`() {
    let frame = { (number: UInt64, times: [UInt64]) in
      let known = times.map { $0 == 0 ? nil : $0 }
      return DaemonTrace.Frame(
        frame: number, path: .direct, copies: 0, copiedBytes: 0, readyNanoseconds: times[0],
        presentedNanoseconds: times[1], latchedNanoseconds: known[2], flippedNanoseconds: known[3],
        releasedNanoseconds: known[4], outcome: .open)
    }
    let frames = [
      frame(1, [105, 110, 120, 200, 300]), frame(2, [155, 160, 0, 0, 0]), frame(3, [205, 210, 220, 300, 0]),
      frame(4, [305, 310, 330, 500, 0]),
    ]
    let stages = FrameStages(frames[...], kicks: [100, 150, 200, 300], periodNanoseconds: 100)
    #expect((stages.taken.count, stages.taken.max) == (4, 5))
    #expect((stages.latched.count, stages.latched.median, stages.latched.max) == (3, 20, 30))
    #expect((stages.flipped.count, stages.flipped.max) == (3, 200))
    #expect((stages.released.count, stages.released.max) == (1, 200))
    #expect((stages.medianPeriods, stages.p99Periods) == (1, 2))
    #expect(stages.isFromKick)
    // Kicks cannot be matched to frames.
    let unpaired = FrameStages(frames[...], kicks: [], periodNanoseconds: 100)
    #expect(!unpaired.isFromKick && unpaired.interval.count == 2)
    #expect((unpaired.taken.max, unpaired.flipped.count, unpaired.flipped.max) == (0, 3, 195))
    // The daemon remembers less than the guest, or more.
    #expect(FrameStages(frames[2...], kicks: [100, 150, 200, 300], periodNanoseconds: 100).taken.max == 5)
    #expect(FrameStages(frames[...], kicks: [300], periodNanoseconds: 100).flipped.median == 200)
  }

  @Test func `the last kicks are kept in their order`() {
    var kicks = KickTimes()
    for time in 1...600 { kicks.add(UInt64(time)) }
    #expect(kicks.ordered == (89...600).map { UInt64($0) })
  }

  @Test func `private memory excludes framebuffers and guest RAM`() {
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

  @Test func `threads that end while a process is measured are left out`() throws {
    let unused = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
    defer { unused.deallocate() }
    for _ in 0..<60 {
      // Several of them are on the list of threads and gone before their counters are read.
      let threads = try (0..<8).map { _ in try WorkerThread(name: "brief", context: unused) { _ in nil } }
      _ = try ProcessFigures(pid: currentProcessID(), name: "test")
      withExtendedLifetime(threads) {}
    }
  }

  @Test func `a process that has ended is named`() {
    #expect(throws: BenchError.self) { _ = try ProcessFigures(pid: 0x7FFF_FFF0, name: "framepathd") }
  }
}
