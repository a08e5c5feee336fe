import LinuxIO
import PresentClient
import StatusModel
import TestSupport
import Testing

/// The daemon's two sockets, with real programs of root and of another user.
@Suite(.timeLimit(.minutes(1)))
struct SocketRoleTests {
  /// A command as a user without rights, whose group may show frames.
  private func asNobody(_ words: [String]) -> ChildCommand {
    ChildCommand("setpriv", ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"] + words)
  }

  /// A daemon whose frames socket is for the group 65534.
  private func daemon() throws -> TestDaemon {
    let daemon = try TestDaemon(options: ["--socket-group", "65534", "--socket-mode", "660"])
    try LinuxFile.setMode(of: daemon.folder.path, to: 0o711)
    return daemon
  }

  private func permissions(_ path: String) -> [UInt32] {
    guard let status = LinuxFile.status(path) else { return [] }
    return [status.gid, status.permissions]
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `a backend user in the group of the frames socket shows frames, and nothing more`() throws {
    let daemon = try daemon()
    #expect(permissions(daemon.socket) == [65534, 0o660])
    #expect(permissions(daemon.controlSocket) == [currentGroupID(), 0o600])
    var pattern = asNobody(
      [
        Programs.path("framepath-guest"), "pattern", "--daemon", daemon.socket, "--name", "box", "--frames", "30",
        "--still", "--hold", "60",
      ])
    pattern.input = .pipe
    let client = try TestProgram(pattern)
    try client.output(contains: "frames=30 flipped=30")
    let status = try PresentTool.status(path: daemon.controlSocket)
    #expect(status.vms.map(\.name) == ["box"])
    #expect(status.vms[0].uid == 65534)
    #expect((status.socket, status.controlSocket) == (daemon.socket, daemon.controlSocket))

    let tool = Programs.path("framepath")
    for command in [["status"], ["snapshot", "--vm", "box", "-o", "/dev/null"], ["power", "off"], ["focus", "box"]] {
      let refused = try ChildProcess.run(asNobody([tool] + command + ["--socket", daemon.socket]))
      #expect(refused.exit == .status(1))
      #expect(refused.error.contains("You may not use \(daemon.controlSocket), the control socket"), "\(refused.error)")
      let wrong = try ChildProcess.run(asNobody([tool] + command + ["--control-socket", daemon.socket]))
      #expect(wrong.exit == .status(1))
      #expect(wrong.error.contains("control socket, \(daemon.controlSocket)"), "\(wrong.error)")
    }
    let lease = try ChildProcess.run(
      asNobody([tool, "lease", "--socket", daemon.socket, "--output", "headless-0", "--", "true"]))
    #expect(lease.error.contains("user 65534 may not lease headless-0"), "\(lease.error)")
    #expect(client.isRunning)
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `the file sets paths, modes and groups, options take precedence, and a reload changes modes`() throws {
    let folder = try TemporaryFolder()
    let (path, control) = ("\(folder.path)/frames", "\(folder.path)/control")
    func write(_ mode: String) throws {
      let text = """
        [sockets]
        socket = "\(path)"
        socket-mode = "\(mode)"
        socket-group = 65534
        control-socket = "\(folder.path)/other"
        control-mode = 0o660
        """
      try LinuxFile.replace("\(folder.path)/toml", with: Array(text.utf8))
    }
    try write("660")
    let daemon = try TestProgram(
      "framepathd",
      ["--output", "headless", "--config", "\(folder.path)/toml", "--control-socket", control, "--control-mode", "600"])
    try daemon.line(containing: "ready")
    #expect(permissions(path) == [65534, 0o660])
    #expect(permissions(control) == [currentGroupID(), 0o600])
    #expect(LinuxFile.status("\(folder.path)/other") == nil)
    try write("666")
    daemon.signal(1)
    try daemon.line(containing: "reloaded")
    #expect(permissions(path) == [65534, 0o666])
    #expect(permissions(control) == [currentGroupID(), 0o600])
    #expect(try daemon.end() == .status(0))
    #expect(LinuxFile.status(path) == nil)
    #expect(LinuxFile.status(control) == nil)
  }

  @Test func `a second daemon that may not have the control socket leaves the first alone, and says so`() throws {
    let daemon = try TestDaemon()
    let second = try Programs.run(
      "framepathd",
      ["--output", "headless", "--socket", "\(daemon.folder.path)/b.sock", "--control-socket", daemon.controlSocket])
    #expect(second.exit == .status(1))
    #expect(second.error.contains("(process \(daemon.program.pid)) serves \(daemon.controlSocket)"), "\(second.error)")
    #expect(try PresentTool.status(path: daemon.controlSocket).clients == 0)
  }
}
