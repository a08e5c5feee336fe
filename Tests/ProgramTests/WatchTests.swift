import LinuxIO
import TestSupport
import Testing

/// Commands that show the daemon's state for as long as they run. Their interval is a minute: all that they show in time
/// they show because the daemon has reported it.
@Suite(.timeLimit(.minutes(1)))
struct WatchTests {
  private let daemon: TestDaemon

  init() throws { daemon = try TestDaemon() }

  private func run(_ words: String...) throws {
    let result = try Programs.run("framepath", words + ["--socket", daemon.socket])
    #expect(result.exit.isSuccess, "\(result.error)")
  }

  /// A VM without a guest.
  private func vm(_ name: String) throws -> TestProgram {
    try TestProgram(
      "framepath-vhost-user-gpu",
      ["--vm", name, "--socket-path", "\(daemon.folder.path)/\(name).sock", "--daemon", daemon.socket])
  }

  private func watch(_ words: String..., interval: String = "60") throws -> TestProgram {
    try TestProgram("framepath", ["status", "--watch", "--interval", interval, "--socket", daemon.socket] + words)
  }

  @Test func `status draws again after each change that the daemon reports`() throws {
    let status = try watch()
    try status.line(containing: "320x200@60.00", from: .output)
    try run("power", "blank")
    try status.line(containing: "320x200@60.00 blank", from: .output)
    try run("power", "off")
    try status.line(containing: "320x200@60.00 off", from: .output)
    let web = try vm("web")
    #expect(try status.line(containing: "\(web.pid)", from: .output).hasPrefix("web"))
    web.kill()
    try status.line(containing: "No VMs.", from: .output)
  }

  @Test func `status as JSON is one line for each change`() throws {
    let status = try watch("--json")
    #expect(try status.nextLine().contains("\"power\":\"on\""))
    try run("power", "off")
    #expect(try status.nextLine().contains("\"power\":\"off\""))
  }

  @Test func `counters are read once in the interval, without a change`() throws {
    let status = try watch(interval: "0.1")
    for _ in 0..<3 { try status.line(containing: "320x200@60.00", from: .output) }
  }

  @Test func `status ends with the remedy when the daemon has ended`() throws {
    let status = try watch()
    try status.line(containing: "320x200@60.00", from: .output)
    try daemon.program.end()
    #expect(try status.exit() == .status(1))
    #expect(status.text(.error).hasPrefix("Error: framepathd is not running at \(daemon.controlSocket). Start it: "))
  }

  @Test func `top in a terminal shows a VM as soon as it connects, and outlives the daemon`() throws {
    let top = try TestProgram.inTerminal(
      "'\(Programs.path("framepath"))' top --socket '\(daemon.socket)' --interval 60")
    try top.output(contains: "No VMs.")
    let web = try vm("web")
    try top.output(contains: "\r\nweb ")
    web.kill()
    try top.output(contains: "No VMs.", times: 2)
    try daemon.program.end()
    try top.output(contains: "framepathd is not running")
    try top.type("q")
    #expect(try top.exit().isSuccess)
  }
}
