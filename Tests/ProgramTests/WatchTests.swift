import Foundation
import LinuxIO
import TestSupport
import Testing

/// Commands that show the daemon's state for as long as they run. Their interval is a minute: all that they show in time
/// they show because the daemon has reported it.
@Suite(.timeLimit(.minutes(1)))
struct WatchTests {
  private let folder: TemporaryFolder
  private let daemon: ChildProcess
  private var socket: String { "\(folder.path)/daemon.sock" }

  init() throws {
    folder = try TemporaryFolder()
    daemon = try Programs.start(
      "framepathd", ["--output", "headless:320x200@60", "--socket", "\(folder.path)/daemon.sock"])
    try #require(daemon.waitForLine(containing: "ready") != nil)
  }

  private func run(_ words: String...) throws {
    let result = try Programs.run("framepath", words + ["--socket", socket])
    #expect(result.exit.isSuccess, "\(result.error)")
  }

  /// A VM without a guest.
  private func vm(_ name: String) throws -> ChildProcess {
    try Programs.start(
      "framepath-vhost-user-gpu",
      ["--vm", name, "--socket-path", "\(folder.path)/\(name).sock", "--daemon", socket])
  }

  /// A screen's last line has no end.
  private func waitForText(_ text: String, _ count: Int = 1, from process: ChildProcess) throws {
    let deadline = monotonicNanoseconds() + 20_000_000_000
    while process.text(.output).components(separatedBy: text).count <= count {
      try #require(monotonicNanoseconds() < deadline, "\(text) did not come")
      _ = process.readLine(from: .output, timeoutMilliseconds: 50)
    }
  }

  @Test func `status draws again after each change that the daemon reports`() throws {
    let status = try Programs.start("framepath", ["status", "--watch", "--interval", "60", "--socket", socket])
    try #require(status.waitForLine(containing: "320x200@60.00", from: .output) != nil)
    try run("power", "blank")
    #expect(status.waitForLine(containing: "320x200@60.00 blank", from: .output) != nil)
    try run("power", "off")
    #expect(status.waitForLine(containing: "320x200@60.00 off", from: .output) != nil)
    let web = try vm("web")
    #expect(status.waitForLine(containing: "\(web.pid)", from: .output)?.hasPrefix("web") == true)
    web.kill()
    #expect(status.waitForLine(containing: "No VMs.", from: .output) != nil)
  }

  @Test func `status as JSON is one line for each change`() throws {
    let status = try Programs.start(
      "framepath", ["status", "--watch", "--json", "--interval", "60", "--socket", socket])
    try #require(status.readLine(from: .output)?.contains("\"power\":\"on\"") == true)
    try run("power", "off")
    #expect(status.readLine(from: .output)?.contains("\"power\":\"off\"") == true)
  }

  @Test func `counters are read once in the interval, without a change`() throws {
    let status = try Programs.start("framepath", ["status", "--watch", "--interval", "0.1", "--socket", socket])
    for _ in 0..<3 { #expect(status.waitForLine(containing: "320x200@60.00", from: .output) != nil) }
  }

  @Test func `status ends with the remedy when the daemon has ended`() throws {
    let status = try Programs.start("framepath", ["status", "--watch", "--interval", "60", "--socket", socket])
    try #require(status.waitForLine(containing: "320x200@60.00", from: .output) != nil)
    daemon.stop()
    #expect(status.waitForExit(timeoutMilliseconds: 20_000) == .status(1))
    #expect(status.text(.error).hasPrefix("Error: framepathd is not running at \(socket). Start it: "))
  }

  @Test func `top in a terminal shows a VM as soon as it has come, and outlives the daemon`() throws {
    // script(1) provides the terminal.
    var command = ChildCommand(
      "script",
      [
        "-qfec",
        "stty rows 24 cols 200; '\(Programs.path("framepath"))' top --socket '\(socket)' --interval 60", "/dev/null",
      ])
    command.input = .pipe
    command.addedEnvironment = ["TERM": "xterm", "LC_ALL": "C.UTF-8"]
    let top = try ChildProcess(command)
    try waitForText("No VMs.", from: top)
    let web = try vm("web")
    try waitForText("\r\nweb ", from: top)
    web.kill()
    try waitForText("No VMs.", 2, from: top)
    daemon.stop()
    try waitForText("framepathd is not running", from: top)
    try top.write("q")
    #expect(top.waitForExit(timeoutMilliseconds: 20_000)?.isSuccess == true)
  }
}
