// Release builds have no hook, which .ci/test checks.
#if FRAMEPATH_TEST_HOOKS
  import Glibc
  import LinuxIO
  import PresentClient
  import Sandbox
  import StatusModel
  import TestSupport
  import Testing

  /// Programs that serve somebody, and are then made to leave their sandbox by the hook of test builds: at SIGPROF they do
  /// what FRAMEPATH_TEST_VIOLATION says.
  @Suite(.timeLimit(.minutes(1)))
  struct SandboxViolationTests {
    private static func hook(_ what: String) -> [String: String] { ["FRAMEPATH_TEST_VIOLATION": what] }

    @Test(arguments: [("open", "openat"), ("connect", "socket"), ("exec", "execve")])
    func
      `a backend that opens a file, connects elsewhere or starts a program is ended, and its launcher names the call`(
        what: String, call: String
      ) throws
    {
      let daemon = try TestDaemon()
      let victim = try TestGuest(daemon, vm: "victim", [:])
      let broken = try TestGuest(daemon, vm: "broken", Self.hook(what))
      #expect(kill(try broken.worker(), SIGPROF) == 0)
      #expect(try broken.backend.exit() == .status(128 + SIGSYS))
      let lines = broken.backend.lines(containing: "error: ")
      #expect(lines.count == 1)
      #expect(
        lines.first?.contains(
          "error: the worker was ended by its sandbox, which does not allow the system call \(call) (") == true,
        "\(broken.backend.text(.error))")
      #expect(!broken.backend.text(.error).contains("test hook"), "the call was made")
      // The other VM has not noticed.
      try victim.player.flip(victim.picture)
      #expect(victim.backend.isRunning)
      try daemon.program.wait(for: "daemon without the VM") {
        let status = try PresentTool.status(path: daemon.controlSocket)
        return status.scanout(ofVM: "broken") == nil && status.scanout(ofVM: "victim") != nil
      }
    }

    @Test(arguments: [("open", "openat"), ("connect", "socket"), ("exec", "execve")])
    func `a region's server that leaves its sandbox is ended, and its launcher names the call`(
      what: String, call: String
    ) throws {
      let daemon = try TestDaemon()
      let path = "\(daemon.folder.path)/web.sock"
      let server = try TestProgram(
        "framepath-ivshmem",
        ["--vm", "web", "--socket-path", path, "--resolution", "320x200", "--daemon", daemon.socket],
        environment: Self.hook(what))
      try server.line(containing: "ready")
      let client = try UnixSocket.connect(path, .stream)
      while try !server.line(containing: "web: ").hasSuffix("web: connected") {}
      #expect(kill(try #require(LaunchedWorkers.of(server.pid).first), SIGPROF) == 0)
      #expect(try server.exit() == .status(128 + SIGSYS))
      #expect(
        server.lines(
          containing: "error: the worker was ended by its sandbox, which does not allow the system call \(call) ("
        ).count == 1, "\(server.text(.error))")
      _ = consume client
    }

    @Test(arguments: [("connect", "connect"), ("exec", "execve")])
    func `a daemon that leaves its sandbox says which call it is ended for, and its assistant ends with it`(
      what: String, call: String
    ) throws {
      let folder = try TemporaryFolder()
      try LinuxFile.replace("\(folder.path)/toml", with: Array("[vm.web]\ncap = 20\n".utf8))
      let daemon = try TestProgram(
        "framepathd",
        ["--output", "headless:320x200@60", "--socket", "\(folder.path)/a", "--config", "\(folder.path)/toml"],
        environment: Self.hook(what))
      try daemon.line(containing: "ready")
      let children = try #require(LinuxFile.text("/proc/\(daemon.pid)/task/\(daemon.pid)/children"))
      let assistant = try #require(children.split(separator: " ").first.flatMap { Int32($0) })
      daemon.signal(SIGPROF)
      #expect(try daemon.exit() == .signal(SIGSYS))
      #expect(
        daemon.lines(
          containing: "framepathd: ended by its sandbox, which does not allow the system call \(call) ("
        ).count == 1, "\(daemon.text(.error))")
      try daemon.wait(for: "end of the assistant") {
        let state = LinuxFile.text("/proc/\(assistant)/status")
        return state == nil || state?.contains("State:\tZ") == true
      }
    }

    /// The daemon opens devices while it runs, so its filter allows the call and Landlock refuses the file.
    @Test(.enabled(if: Landlock.version > 0))
    func `a daemon that opens a file which is none of its business does not get it, and serves on`() throws {
      let folder = try TemporaryFolder()
      let daemon = try TestProgram(
        "framepathd", ["--output", "headless:320x200@60", "--socket", "\(folder.path)/a.sock"],
        environment: Self.hook("open"))
      try daemon.line(containing: "ready")
      daemon.signal(SIGPROF)
      try daemon.line(containing: "test hook: open failed with errno \(EACCES)")
      #expect(try PresentTool.status(path: "\(folder.path)/a-control.sock").outputs.count == 1)
      #expect(try daemon.end() == .status(0))
    }
  }

  /// A backend in the sandbox with a guest whose picture is on screen.
  private final class TestGuest {
    let backend: TestProgram
    let player: GuestPlayer
    let picture: GuestPlayer.Picture

    init(_ daemon: TestDaemon, vm: String, _ environment: [String: String]) throws {
      let path = "\(daemon.folder.path)/\(vm).sock"
      backend = try TestProgram(
        "framepath-vhost-user-gpu", ["--vm", vm, "--socket-path", path, "--daemon", daemon.socket],
        environment: environment)
      player = try GuestPlayer(path: path, ramBytes: 8 << 20)
      picture = try player.makeBlob(1, width: 320, height: 200)
      try player.flip(picture)
    }

    func worker() throws -> Int32 { try #require(LaunchedWorkers.of(backend.pid).first) }
  }
#endif
