import LinuxIO
import TestSupport
import Testing

@testable import FramepathBench

/// Other backends under the same load: real programs, those that stay and those that do not.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct PeerTests {
  let programs = BenchPrograms(folder: Programs.folder)

  private var bench: ThroughputBench {
    var bench = ThroughputBench(programs)
    bench.device = .vhostUserGPU
    bench.seconds = 0.1
    bench.runCount = 1
    bench.measuresHarness = false
    bench.sizes = [(320, 200)]
    return bench
  }

  /// Our own backend without a daemon is a vhost-user GPU backend like any other.
  private func peer(_ name: String, doing trouble: String = ":") throws -> BenchPeer {
    let backend = try programs.path("framepath-vhost-user-gpu")
    return .program(
      name: name, executable: "/bin/sh",
      arguments: ["-c", "(\(trouble)) & exec '\(backend)' --vm peer --daemon /nonexistent/socket \"$0\""])
  }

  @Test func `a peer gets the same load in the same run`() throws {
    var bench = bench
    bench.peers = [try peer("second")]
    let run = try #require(try bench.run().sizes.first?.runs.first)
    let second = try #require(run.peers.first)
    #expect(second.name == "second")
    #expect(second.unpaced.frames > 0 && second.paced.frames > 0)
    #expect(second.unpaced.backendMicroseconds > 0)
    #expect(run.rateRatio(second) > 0)
    #expect(run.unpacedCPURatio(second) > 0)
    #expect(run.copiedRateRatio(second) > 0)
    #expect(run.pictureCPURatio(second) > 0 && run.pictureCPURatio(second) <= run.unpacedCPURatio(second) * 1.01)
  }

  @Test(.enabled(if: !BenchPeer.installed().isEmpty, "no other backend is installed here"))
  func `an installed peer sends every picture to its screen`() throws {
    let peer = try #require(BenchPeer.installed().first)
    let run = try bench.measure(peer, 320, 200)
    for phase in [run.unpaced, run.unpacedCorner, run.paced] {
      #expect(phase.frames > 0)
      #expect(phase.presented == UInt64(phase.frames))
      #expect(phase.backendMicroseconds > 0)
    }
  }

  @Test func `a peer that dies in the middle is named`() throws {
    var bench = bench
    bench.seconds = 3
    let error = #expect(throws: BenchError.self) {
      _ = try bench.measure(try peer("frail", doing: "sleep 1; kill -KILL $$"), 320, 200)
    }
    #expect(error?.description == "frail closed the connection")
  }

  @Test func `a peer that hangs in the middle is named`() throws {
    var bench = bench
    bench.seconds = 3
    // The process that serves, not its launcher.
    let stop =
      "for p in $(cat /proc/$$/task/$$/children); do "
      + "grep -q -- '--worke[r]' /proc/$p/cmdline && kill -STOP $p; done"
    let error = #expect(throws: BenchError.self) {
      _ = try bench.measure(try peer("sleepy", doing: "sleep 1; \(stop)"), 320, 200)
    }
    #expect(error?.description.hasPrefix("sleepy does not answer") == true)
  }

  @Test func `a peer that does not listen is named`() {
    let error = #expect(throws: BenchError.self) {
      _ = try bench.measure(.listening(socket: "/nonexistent/socket"), 320, 200)
    }
    #expect(error?.description.hasPrefix("peer at /nonexistent/socket is not listening") == true)
  }

  @Test func `a peer that is another program altogether is named`() {
    let error = #expect(throws: BenchError.self) {
      _ = try bench.measure(.program(name: "true", executable: "/bin/true", arguments: []), 320, 200)
    }
    #expect(error?.description == "true has ended with exit status 0")
  }
}
