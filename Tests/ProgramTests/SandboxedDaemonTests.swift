import Glibc
import LinuxIO
import PresentClient
import Sandbox
import StatusModel
import TestSupport
import Testing

/// The daemon in its sandbox, and what it has others do.
@Suite(.timeLimit(.minutes(1)))
struct SandboxedDaemonTests {
  private func state(_ process: Int32) -> String { LinuxFile.text("/proc/\(process)/status") ?? "" }

  /// The child that a daemon with a configuration file has.
  private func assistant(of daemon: TestProgram) throws -> Int32 {
    let children = try #require(LinuxFile.text("/proc/\(daemon.pid)/task/\(daemon.pid)/children"))
    return try #require(Int32(children))
  }

  private func daemon(_ folder: TemporaryFolder, cap: Int, _ more: [String] = []) throws -> TestProgram {
    try write(folder, cap: cap)
    let program = try TestProgram(
      "framepathd",
      ["--output", "headless:320x200@60", "--socket", "\(folder.path)/a", "--config", "\(folder.path)/toml"] + more)
    try program.line(containing: "ready")
    return program
  }

  private func write(_ folder: TemporaryFolder, cap: Int) throws {
    try LinuxFile.replace("\(folder.path)/toml", with: Array("[vm.web]\ncap = \(cap)\n".utf8))
  }

  @Test func `a daemon is in its sandbox when it serves, without rights if it has no cards`() throws {
    let daemon = try TestDaemon()
    let text = state(daemon.program.pid)
    #expect(text.contains("NoNewPrivs:\t1"))
    #expect(text.contains("Seccomp:\t2"))
    for set in ["CapPrm", "CapEff", "CapAmb"] { #expect(text.contains("\(set):\t0000000000000000"), "\(text)") }
    #expect(try daemon.program.end() == .status(0))
    #expect(LinuxFile.status(daemon.socket) == nil)
  }

  @Test func `without its sandbox a daemon says so loudly`() throws {
    let folder = try TemporaryFolder()
    let daemon = try TestProgram(
      "framepathd", ["--output", "headless", "--socket", "\(folder.path)/a", "--sandbox", "off"])
    try daemon.line(containing: "warning: --sandbox off")
    try daemon.line(containing: "ready")
    #expect(state(daemon.pid).contains("Seccomp:\t0"))
    #expect(try daemon.end() == .status(0))
  }

  @Test func `a sandboxed daemon reloads its file, keeps its settings without an assistant, and goes on`() throws {
    let folder = try TemporaryFolder()
    let daemon = try daemon(folder, cap: 20)
    #expect(state(daemon.pid).contains("Seccomp:\t2"))
    #expect(state(try assistant(of: daemon)).contains("Seccomp:\t0"))
    try write(folder, cap: 30)
    for _ in 0..<2 { daemon.signal(SIGHUP) }
    try daemon.line(containing: "reloaded")
    try write(folder, cap: -1)
    daemon.signal(SIGHUP)
    try daemon.line(containing: "settings unchanged")
    #expect(kill(try assistant(of: daemon), SIGKILL) == 0)
    try write(folder, cap: 40)
    daemon.signal(SIGHUP)
    try daemon.line(containing: "framepathd's assistant has ended: start framepathd again; settings unchanged")
    #expect(daemon.isRunning)
    #expect(try daemon.end() == .status(0))
  }

  @Test func `the assistant ends with its daemon, even if that is killed`() throws {
    let folder = try TemporaryFolder()
    let daemon = try daemon(folder, cap: 20)
    let assistant = try assistant(of: daemon)
    daemon.kill()
    _ = try daemon.exit()
    try daemon.wait(for: "end of the assistant") {
      state(assistant).isEmpty || state(assistant).contains("State:\tZ")
    }
  }
}
