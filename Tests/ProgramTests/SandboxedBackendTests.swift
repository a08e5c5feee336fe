import Glibc
import LinuxIO
import PresentClient
import Sandbox
import TestSupport
import Testing

/// The backends as launcher and worker.
@Suite(.timeLimit(.minutes(1)))
struct SandboxedBackendTests {
  enum Backend: String, CaseIterable, Sendable {
    case vhostUserGPU = "framepath-vhost-user-gpu"
    case ivshmem = "framepath-ivshmem"

    func start(_ folder: TemporaryFolder, _ more: [String] = []) throws -> TestProgram {
      let program = try TestProgram(
        rawValue,
        ["--vm", "web", "--socket-path", "\(folder.path)/web.sock", "--daemon", "\(folder.path)/framepathd.sock"] + more
      )
      try program.wait(for: "socket with a worker") {
        LinuxFile.status("\(folder.path)/web.sock") != nil && !LaunchedWorkers.of(program.pid).isEmpty
      }
      return program
    }
  }

  private func state(_ process: Int32) -> String { LinuxFile.text("/proc/\(process)/status") ?? "" }

  private func worker(of program: TestProgram) throws -> Int32 {
    try #require(LaunchedWorkers.of(program.pid).first)
  }

  private func waitForWorker(of program: TestProgram, other than: Int32 = 0, sandboxed: Bool = true) throws -> Int32 {
    var found: Int32 = 0
    try program.wait(for: "worker besides \(than)") {
      found = LaunchedWorkers.of(program.pid).first ?? than
      return found != than && state(found).contains("Seccomp:\t\(sandboxed ? 2 : 0)")
    }
    return found
  }

  @Test(arguments: Backend.allCases)
  func `the process that serves the guest is in its sandbox, and keeps only its own descriptors`(
    backend: Backend
  ) throws {
    let host = try TestDaemon()
    let program = try backend.start(host.folder)
    let worker = try waitForWorker(of: program)
    #expect(state(worker).contains("NoNewPrivs:\t1"))
    for set in ["CapPrm", "CapEff", "CapAmb"] { #expect(state(worker).contains("\(set):\t0000000000000000")) }
    #expect(state(program.pid).contains("Seccomp:\t0"))
    let links = try LinuxFile.list("/proc/\(worker)/fd").compactMap { LinuxFile.linkTarget("/proc/\(worker)/fd/\($0)") }
    let files = links.filter { $0.hasPrefix("/") && !$0.hasPrefix("/memfd:") && $0 != "/dev/null" }
    #expect(files.isEmpty, "\(links)")
    #expect(try program.end() == .status(0))
    #expect(LinuxFile.status("\(host.folder.path)/web.sock") == nil)
  }

  @Test(arguments: Backend.allCases)
  func `a worker that crashes before there is a guest is replaced`(backend: Backend) throws {
    let host = try TestDaemon()
    let program = try backend.start(host.folder)
    let first = try waitForWorker(of: program)
    #expect(kill(first, SIGSEGV) == 0)
    try program.line(containing: "error: the worker was ended by signal 11 (SIGSEGV)")
    try program.line(containing: "starting another worker (1 of 3)")
    _ = try waitForWorker(of: program, other: first)
    #expect(LinuxFile.status("\(host.folder.path)/web.sock") != nil)
    if backend == .vhostUserGPU {
      let player = try GuestPlayer(path: "\(host.folder.path)/web.sock", shape: .completeDevice, ramBytes: 8 << 20)
      try player.flip(try player.makeBlob(1, width: 320, height: 200))
    }
    #expect(try program.end() == .status(0))
  }

  @Test func `a worker that crashes with a guest ends the program with its signal`() throws {
    let guest = try PlayedGuest()
    #expect(kill(try worker(of: guest.backend), SIGSEGV) == 0)
    #expect(try guest.backend.exit() == .status(128 + SIGSEGV))
    #expect(guest.backend.lines(containing: "the worker was ended by signal 11 (SIGSEGV)").count == 1)
    #expect(guest.backend.lines(containing: "another").isEmpty)
  }

  @Test(arguments: Backend.allCases)
  func `without its sandbox a backend says so loudly`(backend: Backend) throws {
    let host = try TestDaemon()
    let program = try backend.start(host.folder, ["--sandbox", "off"])
    try program.line(containing: "warning: --sandbox off")
    let worker = try waitForWorker(of: program, sandboxed: false)
    #expect(state(worker).contains("NoNewPrivs:\t0"))
    #expect(try program.end() == .status(0))
  }

  @Test(arguments: Backend.allCases)
  func `another word than on or off is refused`(backend: Backend) throws {
    let result = try Programs.run(backend.rawValue, ["--vm", "web", "--socket-path", "x", "--sandbox", "maybe"])
    #expect(result.exit == .status(64))
    #expect(result.error.contains("use on or off"), "\(result.error)")
  }

  @Test func `a socket path that is served by another program ends the program with the reason`() throws {
    let host = try TestDaemon()
    let taken = try UnixSocket.listen("\(host.folder.path)/web.sock", .stream)
    let program = try TestProgram(
      "framepath-vhost-user-gpu",
      ["--vm", "web", "--socket-path", "\(host.folder.path)/web.sock", "--daemon", host.socket])
    #expect(try program.exit() == .status(1))
    #expect(program.lines(containing: "error: bind \(host.folder.path)/web.sock: Address already in use").count == 1)
    _ = consume taken
  }
}
