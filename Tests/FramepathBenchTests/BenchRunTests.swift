import FramepathBench
import LinuxIO
import TestSupport
import Testing

/// Short runs with the real programs: what is reported must add up.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct BenchRunTests {
  let programs = BenchPrograms(folder: Programs.folder)

  private func throughput(
    _ change: (inout ThroughputBench) -> Void
  ) throws -> (ThroughputRun, ThroughputReport.Size) {
    var bench = ThroughputBench(programs)
    bench.sizes = [(320, 200)]
    bench.seconds = 0.2
    bench.runCount = 1
    bench.measuresHarness = false
    change(&bench)
    let size = try #require(try bench.run().sizes.first)
    return (try #require(size.runs.first), size)
  }

  private func checkSums(_ phase: PhaseFigures, hasBackend: Bool = true) {
    #expect(phase.frames > 0)
    #expect(phase.presented == phase.flipped + phase.superseded)
    #expect(phase.rejected == 0)
    #expect(phase.flipped > 0)
    // A region's frames pass its backend by, and a client has none.
    #expect((phase.backendMicroseconds > 0) == hasBackend)
    #expect(phase.daemonMicroseconds > 0)
  }

  /// Frames that all were shown, each later at every stage.
  private func checkStages(_ phase: PhaseFigures) throws {
    let stages = try #require(phase.stages)
    #expect(stages.flipped.count == phase.frames)
    let medians = [stages.taken, stages.presented, stages.latched, stages.flipped].map(\.median)
    #expect(medians == medians.sorted() && medians.dropFirst().allSatisfy { $0 > 0 })
    #expect(stages.released.count < phase.frames)
    #expect(stages.interval.count == phase.frames - 1)
    #expect(stages.medianPeriods > 0.9 && stages.medianPeriods <= stages.p99Periods)
    #expect(phase.wakeUpsPerFrame > 0 && phase.wakeUpsPerFrame <= phase.switchesPerFrame)
  }

  @Test func `a guest that never waits: frames and bytes add up`() throws {
    let (run, size) = try throughput { $0.device = .vhostUserGPU }
    #expect((size.width, size.height) == (320, 200))
    #expect(run.path == "copy")
    for phase in [run.unpaced, run.unpacedCorner, run.paced, run.pacedCorner] { checkSums(phase) }
    #expect(run.unpaced.cpuCopies > 0)
    #expect(run.unpaced.copiedBytes % (320 * 200 * 4) == 0)
    #expect(run.paced.copiedBytes == run.paced.cpuCopies * 320 * 200 * 4)
    #expect(run.paced.frames == Int(run.paced.presented))
    #expect(run.unpaced.framesPerSecond > run.paced.framesPerSecond)
    try checkStages(run.idleCorner)
    try checkStages(run.idleWhole)
    // A guest that never waits has most of its frames replaced, and those were never on screen.
    let stages = try #require(run.unpaced.stages)
    #expect(stages.presented.count == min(512, Int(run.unpaced.presented)))
    #expect(stages.flipped.count <= Int(run.unpaced.flipped))
    #expect(run.memcpyMicroseconds > 0)
  }

  @Test func `a guest that waits for the screen loses no frame`() throws {
    let (run, _) = try throughput {
      $0.path = "copy"
      $0.runBytes = 4096
    }
    for phase in [run.unpaced, run.unpacedCorner, run.paced, run.pacedCorner] {
      checkSums(phase)
      #expect(phase.superseded == 0)
      #expect(phase.presented == UInt64(phase.frames))
      #expect(phase.frames > 512 || phase.stages?.flipped.count == phase.frames)
    }
    #expect(run.paced.copiedBytes == run.paced.cpuCopies * 320 * 200 * 4)
  }

  @Test func `a guest on a region loses no frame, and nothing is copied`() throws {
    let (run, _) = try throughput { $0.device = .ivshmem }
    #expect(run.path == "direct")
    for phase in [run.unpaced, run.unpacedCorner, run.paced, run.pacedCorner] {
      checkSums(phase, hasBackend: false)
      #expect(phase.superseded == 0)
      #expect(phase.presented == UInt64(phase.frames))
      #expect(phase.cpuCopies == 0 && phase.copiedBytes == 0)
    }
    try checkStages(run.idleCorner)
    try checkStages(run.idleWhole)
  }

  @Test func `a client's frames are flipped or superseded, and nothing is copied`() throws {
    let (run, _) = try throughput { $0.device = .client }
    #expect(run.path == "direct")
    for phase in [run.unpaced, run.unpacedCorner, run.paced, run.pacedCorner] {
      checkSums(phase, hasBackend: false)
      #expect(phase.presented == UInt64(phase.frames))
      #expect(phase.cpuCopies == 0 && phase.copiedBytes == 0)
    }
    #expect(run.unpaced.superseded > 0)
    try checkStages(run.idleWhole)
  }

  @Test func `an idle guest costs nothing`() throws {
    var bench = FootprintBench(programs)
    bench.size = (320, 200)
    bench.idleSeconds = 1
    bench.runCount = 1
    let run = try #require(try bench.run().runs.first)
    #expect(run.idleCommits == 0)
    #expect(run.backendWakeUpsPerSecond <= 1)
    #expect(run.backendPrivateBytes > 0)
    #expect(run.daemonPrivateBytes > 0)
    #expect(run.backendReadyMilliseconds > 0)
  }

  @Test func `missing programs are reported with the remedy`() {
    var bench = ThroughputBench(BenchPrograms(folder: "/nonexistent"))
    bench.sizes = [(64, 64)]
    bench.measuresHarness = false
    #expect(throws: BenchError("framepathd is not in /nonexistent; build it: swift build -c release")) {
      _ = try bench.run()
    }
  }
}
