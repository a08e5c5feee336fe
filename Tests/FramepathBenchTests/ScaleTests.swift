import LinuxIO
import TestSupport
import Testing

@testable import FramepathBench

/// Several VMs at once, with the real programs.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct ScaleTests {
  let programs = BenchPrograms(folder: Programs.folder)

  @Test(arguments: ["auto", "copy"])
  func `every VM's frames reach its screen, and bytes add up`(path: String) throws {
    var bench = ScaleBench(programs)
    bench.counts = [1, 3]
    bench.size = (128, 96)
    bench.seconds = 0.3
    bench.runCount = 1
    bench.path = path
    let report = try bench.run()
    #expect(report.points.map(\.vms) == [1, 3])
    for point in report.points {
      let run = try #require(point.runs.first)
      #expect(run.frames.count == point.vms)
      #expect(run.frames.allSatisfy { $0 > 0 })
      #expect(run.presented == UInt64(run.allFrames))
      #expect(run.presented == run.flipped + run.superseded)
      #expect(run.copiedBytes == run.cpuCopies * 128 * 96 * 4)
      #expect(run.cpuCopies == (path == "copy" ? run.presented : 0))
      #expect(run.fairness > 0 && run.fairness <= 1)
      #expect(run.backendPrivateBytes.min > 0 && run.daemonPrivateBytes > 0)
    }
  }

  @Test func `fairness is Jain's index`() {
    let fairness = { (frames: [Int]) in
      ScaleReport.Run(
        frames: frames, seconds: 1, backendMicroseconds: 0, daemonMicroseconds: 0, harnessMicroseconds: 0,
        backendPrivateBytes: Spread([]), daemonPrivateBytes: 0, presented: 0, flipped: 0, superseded: 0, cpuCopies: 0,
        copiedBytes: 0
      ).fairness
    }
    #expect(fairness([10, 10, 10, 10]) == 1)
    #expect(fairness([40, 0, 0, 0]) == 0.25)
    #expect(fairness([]) == 0)
  }

  @Test func `an empty backend shows what the bench itself costs`() throws {
    var bench = ThroughputBench(programs)
    bench.device = .vhostUserGPU
    bench.sizes = [(320, 200)]
    bench.seconds = 0.1
    bench.runCount = 1
    let run = try #require(try bench.run().sizes.first?.runs.first)
    let empty = try #require(run.peers.first { $0.name == BenchPeer.emptyName })
    #expect(empty.unpaced.frames > 0)
    #expect(empty.unpaced.backendMicroseconds < run.paced.totalMicroseconds)
  }
}
