import LinuxIO
import PresentProtocol
import StatusModel
import TestSupport
import Testing

@testable import FramepathBench

/// Many clients for a while, with the real programs.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct SoakTests {
  let programs = BenchPrograms(folder: Programs.folder)

  @Test func `64 clients of every kind, some reconnecting, make neither memory nor descriptors grow`() throws {
    var bench = SoakBench(programs)
    bench.seconds = 12
    bench.visitSeconds = 0.1
    bench.sampleSeconds = 0.5
    bench.size = (64, 48)
    let report = try bench.run()
    #expect(report.faults == [])
    #expect(report.frames.count == 56)
    #expect(report.frames.allSatisfy { $0 > 0 })
    #expect(report.samples.count >= 10)
    #expect(report.samples.last?.visits ?? 0 >= 16)
    #expect(report.samples.allSatisfy { $0.anonymousBytes > 0 })
  }

  @Test func `growth is detected, and fluctuation is not`() {
    let growth = { (figures: [Double]) in SoakReport.Growth("figure", figures, allowed: 0) }
    #expect(growth([1, 2, 3, 4, 5, 6]).isTooMuch)
    #expect(growth([7, 7, 7, 7, 8, 8]).growth == 0)
    #expect(!growth([5, 9, 5, 9, 5, 9]).isTooMuch)
    #expect(!growth([9, 8, 7, 6]).isTooMuch)
    #expect(growth([1, 3, 2, 4, 5, 4]).growth == 1)
    #expect(!growth([]).isTooMuch)
  }

  /// A pipe holds 64 KiB; each of these clients is worth three lines.
  @Test func `a daemon with an unread log keeps running`() throws {
    let daemon = try BenchDaemon(programs, outputs: ["headless:64x48@60"])
    for number in 0..<1500 {
      let connection = try PresentConnection.connect(daemon.socket)
      _ = try connection.send(.hello(Hello(kind: .container, name: "visitor\(number)", scanoutCount: 1)))
      var fds = ReceivedFDs()
      while try connection.receiveServerMessage(fds: &fds) == nil {
        _ = try waitUntilReady(connection.descriptor, .readable, timeoutMilliseconds: 5000)
      }
    }
    #expect(try DaemonStatus(socket: daemon.controlSocket).vms.count <= 1)
  }
}
