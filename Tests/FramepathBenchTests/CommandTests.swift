import LinuxIO
import TestSupport
import Testing

@testable import FramepathBench

/// Each subcommand as a person runs it: the program, its page in a browser, its keys in a terminal.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct CommandTests {
  private let programs = BenchPrograms(folder: Programs.folder)
  private var program: String { get throws { try programs.path("framepath") } }

  @Test(
    .enabled(if: Browser.path != nil, "no headless Chromium is installed here"),
    arguments: [
      "copies --frames 10", "throughput --sizes 320x200 --seconds 0.05 --runs 2",
      "throughput --device ivshmem --sizes 320x200 --seconds 0.05 --runs 2 --no-harness",
      "scale --vms 1,2 --size 128x96 --seconds 0.1 --runs 1", "memory --size 320x200 --idle 0.2 --runs 2",
      "memcpy --sizes 640x480 --threads 1 --threads 3 --runs 2",
      "soak --vms 4 --visitors 1 --size 128x96 --seconds 3 --sample 0.5",
      "tiles --vms 2 --output headless:320x200@60 --seconds 0.3 --runs 2",
      "schedule --workload equal --vms 4 --seconds 1",
    ])
  func `a subcommand's page opens without an error and shows its plots`(words: String) throws {
    let folder = try TemporaryFolder(prefix: "framepath-command")
    let page = "\(folder.path)/report.html"
    let result = try ChildProcess.run(
      ChildCommand(try program, ["bench"] + words.split(separator: " ").map(String.init) + ["-o", page]),
      timeoutMilliseconds: 60_000)
    #expect(result.exit.isSuccess, "\(result.error)")
    #expect(!result.output.isEmpty)
    let colours = try Browser.colours(of: page)
    #expect(colours[Browser.firstSeries(false), default: 0] > 500, "\(words)")
  }

  @Test func `top sorts by its keys in a terminal, and writes a trace`() throws {
    let daemon = try BenchDaemon(programs, outputs: ["headless:320x200@60"])
    let client = try ClientSource(daemon.socket, width: 320, height: 200)
    defer { client.end() }
    _ = try client.run(.every(0), .wholePicture, nanoseconds: 200_000_000)
    let folder = try TemporaryFolder(prefix: "framepath-top")
    let top = try TestProgram.inTerminal(
      "cd '\(folder.path)'; '\(try program)' top --socket '\(daemon.socket)' --interval 0.2")
    try top.line(containing: "sorted by rate", from: .output)
    for (key, title) in [("s", "share"), ("c", "copies"), ("l", "latency"), ("n", "name"), ("r", "rate")] {
      try top.type(key)
      try top.line(containing: "sorted by \(title)", from: .output)
    }
    try top.type("t")
    try top.line(containing: "wrote framepath-trace-", from: .output)
    let trace = try #require(try LinuxFile.list(folder.path).first { $0.hasPrefix("framepath-trace-") })
    #expect(LinuxFile.text("\(folder.path)/\(trace)")?.contains("\"VM bench\"") == true)
    #expect(top.text(.output).contains("SHARE"))
    try top.type("q")
    #expect(try top.exit().isSuccess)
    removeFile("\(folder.path)/\(trace)")
  }
}

/// A process that dies or hangs in the middle of a measurement is named in the error.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct DeathTests {
  private let programs = BenchPrograms(folder: Programs.folder)

  /// Shows frames until the daemon is hit by a signal.
  private func failure(of source: any FrameSource, _ daemon: BenchDaemon, signal: String) throws -> String {
    let killer = try ChildProcess(
      ChildCommand("/bin/sh", ["-c", "sleep 0.3; kill -\(signal) \(daemon.process.pid)"]))
    defer {
      killer.waitForExit(timeoutMilliseconds: 1000)
      daemon.process.kill()
      source.end()
    }
    let error = #expect(throws: BenchError.self) {
      _ = try source.run(.unpaced, .wholePicture, nanoseconds: 20_000_000_000)
    }
    return error?.description ?? ""
  }

  @Test func `a daemon that dies under a client is named`() throws {
    let daemon = try BenchDaemon(programs, outputs: ["headless:320x200@60"])
    let client = try ClientSource(daemon.socket, width: 320, height: 200)
    #expect(try failure(of: client, daemon, signal: "KILL") == "framepathd closed the connection")
  }

  @Test func `a daemon that hangs under a client is named`() throws {
    let daemon = try BenchDaemon(programs, outputs: ["headless:320x200@60"])
    let client = try ClientSource(daemon.socket, width: 320, height: 200)
    #expect(try failure(of: client, daemon, signal: "STOP") == "framepathd does not answer")
  }

  @Test func `a region whose host dies is named`() throws {
    let daemon = try BenchDaemon(programs, outputs: ["headless:320x200@60"])
    let region = try BenchRegion(programs, daemon, width: 320, height: 200)
    let source = try RegionSource(region.socket, width: 320, height: 200)
    region.process.kill()
    daemon.process.kill()
    defer { source.end() }
    let error = #expect(throws: BenchError.self) {
      _ = try source.run(.unpaced, .wholePicture, nanoseconds: 20_000_000_000)
    }
    #expect(error?.description.hasPrefix("framepath-ivshmem: ") == true, "\(error?.description ?? "")")
  }
}
