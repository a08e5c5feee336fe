import LinuxIO
import Testing

@testable import FramepathBench

/// What `bench guest` says and does without a guest; with real ones see LabTests.
struct GuestBenchTests {
  @Test func `a missing lab is told with what to do`() {
    var bench = GuestBench(.besideThisProgram())
    bench.lab = "/nonexistent"
    let error = #expect(throws: BenchError.self) { _ = try bench.run() }
    #expect(error?.description.contains("make lab") == true)
  }

  @Test func `a setup that does not start says why, and the others go on`() throws {
    let folder = try TemporaryFolder(prefix: "framepath-nolab")
    try LinuxFile.replace("\(folder.path)/guest", with: Array("#!/bin/sh\necho no such kernel >&2\nexit 125\n".utf8))
    _ = try ChildProcess.run(ChildCommand("/bin/chmod", ["755", "\(folder.path)/guest"]))
    var bench = GuestBench(.besideThisProgram())
    bench.lab = folder.path
    bench.setups = [.none, .vnc]
    bench.sizes = [(640, 480)]
    let figures = try #require(try bench.run().sizes.first).setups
    #expect(figures.map(\.missing) == Array(repeating: "QEMU has ended with exit status 125: no such kernel", count: 2))
  }

  @Test func `CPU time is told per flip and per picture that came to a screen`() {
    var figures = GuestReport.Figures(setup: .vnc, missing: nil)
    figures.qemuMicroseconds = 300
    figures.guestMicroseconds = 600
    figures.helpers = [GuestReport.Helper(name: "viewer", microseconds: 100)]
    #expect(figures.hostMicroseconds == 400)
    #expect(figures.allMicrosecondsPerDisplayed(frames: 60) == nil)
    figures.displayed = 30
    #expect(figures.allMicrosecondsPerDisplayed(frames: 60) == 2000)
  }
}
