import Glibc
import LinuxIO
import PresentProtocol
import Synchronization
import TestSupport
import Testing

/// A VM that the daemon refuses: what cannot heal ends its program with one line, what can heal is tried again quietly.
@Suite(.timeLimit(.minutes(1)))
struct RefusalTests {
  enum Backend: String, CaseIterable, Sendable {
    case vhostUserGPU = "framepath-vhost-user-gpu"
    case ivshmem = "framepath-ivshmem"

    func start(
      _ folder: TemporaryFolder, socket: String = "web.sock", _ more: [String] = []
    ) throws -> ChildProcess {
      try Programs.start(
        rawValue,
        ["--vm", "web", "--socket-path", "\(folder.path)/\(socket)", "--daemon", "\(folder.path)/daemon.sock"] + more)
    }

    func output(_ name: String) -> [String] { self == .ivshmem ? ["--output", name] : ["--outputs", name] }
  }

  private func daemon(_ folder: TemporaryFolder) throws -> ChildProcess {
    let daemon = try Programs.start(
      "framepathd", ["--output", "headless:320x200@60", "--socket", "\(folder.path)/daemon.sock"])
    try #require(daemon.waitForLine(containing: "ready") != nil)
    return daemon
  }

  private func lines(of process: ChildProcess, containing words: String) -> [Substring] {
    process.text(.error).split(separator: "\n").filter { $0.contains(words) }
  }

  @Test(arguments: Backend.allCases, ["a/b", "", "tab\t", String(repeating: "x", count: 64)])
  func `a name that no daemon accepts is refused on the command line`(backend: Backend, name: String) throws {
    let folder = try TemporaryFolder()
    let result = try Programs.run(
      backend.rawValue, ["--vm", name, "--socket-path", "\(folder.path)/x", "--daemon", "\(folder.path)/daemon.sock"])
    #expect(result.exit == .status(64))
    #expect(result.error.hasPrefix("Error: invalid VM name \"\(name)\": use 1 to "), "\(result.error)")
  }

  @Test(arguments: Backend.allCases)
  func `an output name that no daemon has is refused on the command line`(backend: Backend) throws {
    let name = String(repeating: "x", count: 32)
    let result = try Programs.run(backend.rawValue, ["--vm", "web", "--socket-path", "x"] + backend.output(name))
    #expect(result.exit == .status(64))
    #expect(result.error.hasPrefix("Error: invalid output name \"\(name)\": use 1 to 31 bytes"), "\(result.error)")
  }

  @Test(arguments: Backend.allCases, [PresentErrorCode.malformed, .version])
  func `a refusal that cannot heal ends the program with one line and status 1`(
    backend: Backend, code: PresentErrorCode
  ) throws {
    let folder = try TemporaryFolder()
    let daemon = try RefusingDaemon("\(folder.path)/daemon.sock", ErrorMessage(code: code, text: "never"))
    defer { daemon.stop() }
    let program = try backend.start(folder)
    #expect(program.waitForExit(timeoutMilliseconds: 20_000) == .status(1))
    #expect(lines(of: program, containing: "never").count == 1)
    #expect(daemon.refusalCount.load(ordering: .relaxed) == 1)
    if backend == .vhostUserGPU {
      #expect(program.text(.error).split(separator: "\n").count == 1)
      #expect(LinuxFile.status("\(folder.path)/web.sock") == nil)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a name in use is tried again with one line on each side, and taken once it is free`(backend: Backend) throws {
    let folder = try TemporaryFolder()
    let daemon = try daemon(folder)
    let first = try backend.start(folder)
    try #require(daemon.waitForLine(containing: "connected with 1 scanout") != nil)
    let second = try backend.start(folder, socket: "second.sock")
    // Attempts follow after 0.1, 0.3, 0.7, 1.5 and 3.1 s.
    #expect(second.waitForLine(containing: "is connected as web", timeoutMilliseconds: 20_000) != nil)
    #expect(daemon.waitForLine(containing: "refused: process \(first.pid) is connected as web") != nil)
    #expect(second.waitForLine(containing: "is connected as web", timeoutMilliseconds: 2000) == nil)
    #expect(daemon.waitForLine(containing: "refused", timeoutMilliseconds: 0) == nil)
    #expect(second.waitForExit(timeoutMilliseconds: 0) == nil)
    first.kill()
    #expect(
      daemon.waitForLine(containing: "web (process \(second.pid)): connected with 1 scanout", timeoutMilliseconds: 8000)
        != nil)
    for process in [second, daemon] { #expect(process.stop(timeoutMilliseconds: 5000) == .status(0)) }
  }

  @Test(arguments: Backend.allCases)
  func `an output that is not there is waited for with one line on each side`(backend: Backend) throws {
    let folder = try TemporaryFolder()
    let daemon = try daemon(folder)
    let program = try backend.start(folder, backend.output("HDMI-A-9"))
    let words = "there is no output HDMI-A-9"
    #expect(program.waitForLine(containing: words, timeoutMilliseconds: 20_000)?.contains("retrying") == true)
    #expect(daemon.waitForLine(containing: words) != nil)
    #expect(program.waitForLine(containing: words, timeoutMilliseconds: 2000) == nil)
    #expect(daemon.waitForLine(containing: words, timeoutMilliseconds: 0) == nil)
    for process in [program, daemon] { #expect(process.stop(timeoutMilliseconds: 5000) == .status(0)) }
  }

  @Test func `a backend whose QEMU is connected outlives a daemon that refuses it for good`() throws {
    let folder = try TemporaryFolder()
    let daemon = try daemon(folder)
    let backend = try Backend.vhostUserGPU.start(folder)
    try #require(daemon.waitForLine(containing: "connected with 1 scanout") != nil)
    // QEMU's end of the vhost-user connection.
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while LinuxFile.status("\(folder.path)/web.sock") == nil {
      try #require(monotonicNanoseconds() < deadline)
      HostProcess.sleep(milliseconds: 5)
    }
    let qemu = try UnixSocket.connect("\(folder.path)/web.sock", .stream)
    // The daemon's answers are read by the same loop as QEMU's connection.
    try #require(backend.waitForLine(containing: "scanout 0:") != nil)
    daemon.kill()
    daemon.waitForExit()
    let strict = try RefusingDaemon("\(folder.path)/daemon.sock", ErrorMessage(code: .malformed, text: "never"))
    defer { strict.stop() }
    #expect(backend.waitForLine(containing: "never", timeoutMilliseconds: 10_000) != nil)
    #expect(backend.waitForLine(containing: "never", timeoutMilliseconds: 1500) == nil)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
    #expect((2...6).contains(strict.refusalCount.load(ordering: .relaxed)))
    #expect(shutdown(qemu.fd.raw, Int32(SHUT_RDWR)) == 0)
    #expect(backend.waitForExit(timeoutMilliseconds: 10_000) == .status(0))
  }
}
