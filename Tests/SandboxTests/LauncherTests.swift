import Glibc
import LinuxIO
import Sandbox
import TestSupport
import Testing

/// A launcher and a worker that leaves its sandbox or crashes, as real processes.
@Suite(.timeLimit(.minutes(2)))
struct LauncherTests {
  @Test(arguments: [("openFile", "openat"), ("connect", "socket"), ("exec", "execve"), ("unknownCall", "9999")])
  func `the launcher names the call that its worker may not make, and stops after three successors`(
    action: String, call: String
  ) throws {
    let folder = try TemporaryFolder()
    let launcher = try TestProgram("test-sandbox", ["launch", action, "\(folder.path)/vm.sock"])
    #expect(try launcher.exit() == .status(128 + SIGSYS))
    let lines = launcher.lines(containing: "error: the worker was ended by its sandbox, which does not allow the")
    #expect(lines.count == 1 + Launcher.restartLimit, "\(launcher.text(.error))")
    #expect(lines.allSatisfy { $0.contains("system call \(call)") }, "\(lines)")
    #expect(launcher.lines(containing: "starting another worker").count == Launcher.restartLimit)
    #expect(LinuxFile.status("\(folder.path)/vm.sock") == nil)
  }

  @Test func `a worker that has a client is not replaced: the client's device has no state in a new one`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/vm.sock"
    let launcher = try TestProgram("test-sandbox", ["launch", "openFile", path, "served"])
    try launcher.wait(for: "socket") { LinuxFile.status(path) != nil }
    let client = try UnixSocket.connect(path, .stream)
    #expect(try launcher.exit() == .status(128 + SIGSYS))
    #expect(launcher.lines(containing: "system call openat").count == 1)
    #expect(launcher.lines(containing: "another").isEmpty)
    #expect(LinuxFile.status(path) == nil)
    _ = consume client
  }

  @Test func `a worker that says it has clients and ends before its launcher reads that is not replaced`() throws {
    let folder = try TemporaryFolder()
    let launcher = try TestProgram("test-sandbox", ["launch", "openFile", "\(folder.path)/vm.sock", "serving"])
    try launcher.wait(for: "end of the worker") {
      let child = LinuxFile.text("/proc/\(launcher.pid)/task/\(launcher.pid)/children") ?? ""
      return LinuxFile.text("/proc/\(child.prefix { $0 != " " })/stat")?.contains(") Z ") == true
    }
    #expect(LinuxFile.text("/proc/\(launcher.pid)/stat")?.contains(") T ") == true)
    #expect(kill(launcher.pid, SIGCONT) == 0)
    #expect(try launcher.exit() == .status(128 + SIGSYS))
    #expect(launcher.lines(containing: "another").isEmpty, "\(launcher.text(.error))")
  }

  @Test func `a client's connection has no end while its worker is dead and the launcher lives`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/vm.sock"
    let launcher = try TestProgram("test-sandbox", ["launch", "hold", path, "served"])
    try launcher.wait(for: "socket") { LinuxFile.status(path) != nil }
    let client = try UnixSocket.connect(path, .stream)
    try launcher.wait(for: "worker with the connection") { LinuxFile.status(path) == nil }
    let worker = try #require(LaunchedWorkers.of(launcher.pid).first)
    // Stopped, the launcher does not end after its worker.
    #expect(kill(launcher.pid, SIGSTOP) == 0)
    #expect(kill(worker, SIGKILL) == 0)
    try launcher.wait(for: "end of the worker") { LinuxFile.text("/proc/\(worker)/stat")?.contains(") Z ") == true }
    #expect(try waitUntilReady(client.fd.raw, .readable, timeoutMilliseconds: 0).isEmpty)
    #expect(kill(launcher.pid, SIGCONT) == 0)
    #expect(try launcher.exit() == .status(128 + SIGKILL))
    #expect(try waitUntilReady(client.fd.raw, .readable, timeoutMilliseconds: 5000).contains(.hangUp))
  }

  @Test func `a worker ends with its launcher, even if that is killed`() throws {
    let folder = try TemporaryFolder()
    let launcher = try TestProgram("test-sandbox", ["launch", "hold", "\(folder.path)/vm.sock"])
    try launcher.wait(for: "socket") { LinuxFile.status("\(folder.path)/vm.sock") != nil }
    let worker = try #require(LaunchedWorkers.of(launcher.pid).first)
    launcher.kill()
    #expect(try launcher.exit() == .signal(SIGKILL))
    try launcher.wait(for: "end of the worker") {
      let state = LinuxFile.text("/proc/\(worker)/stat")
      return state == nil || state?.contains(") Z ") == true
    }
  }

  @Test func `the launcher passes a termination on, and ends well if its worker does, even without a handler`() throws {
    let folder = try TemporaryFolder()
    let launcher = try TestProgram("test-sandbox", ["launch", "hold", "\(folder.path)/vm.sock"])
    try launcher.wait(for: "socket") { LinuxFile.status("\(folder.path)/vm.sock") != nil }
    launcher.process.terminate()
    #expect(try launcher.exit() == .status(0))
    #expect(launcher.text(.error).isEmpty)
    #expect(LinuxFile.status("\(folder.path)/vm.sock") == nil)
  }

  @Test func `a worker without a launcher says so`() throws {
    let result = try ChildProcess.run(
      ChildCommand(Programs.path("test-sandbox"), ["launch", "hold", "/nowhere", "--worker", "1"]))
    #expect(!result.exit.isSuccess)
    #expect(result.error.contains("descriptor 3"), "\(result.error)")
  }
}
