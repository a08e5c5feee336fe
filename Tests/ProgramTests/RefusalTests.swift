import Glibc
import LinuxIO
import PresentProtocol
import Synchronization
import TestSupport
import Testing

/// A VM that the daemon refuses: a final refusal ends its program with one line, others are retried quietly.
@Suite(.timeLimit(.minutes(1)))
struct RefusalTests {
  enum Backend: String, CaseIterable, Sendable {
    case vhostUserGPU = "framepath-vhost-user-gpu"
    case ivshmem = "framepath-ivshmem"

    func start(
      _ folder: TemporaryFolder, socket: String = "web.sock", _ more: [String] = []
    ) throws -> TestProgram {
      try TestProgram(
        rawValue,
        ["--vm", "web", "--socket-path", "\(folder.path)/\(socket)", "--daemon", "\(folder.path)/daemon.sock"] + more)
    }

    func output(_ name: String) -> [String] { self == .ivshmem ? ["--output", name] : ["--outputs", name] }
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
  func `a final refusal ends the program with one line and status 1`(
    backend: Backend, code: PresentErrorCode
  ) throws {
    let folder = try TemporaryFolder()
    let daemon = try RefusingDaemon("\(folder.path)/daemon.sock", ErrorMessage(code: code, text: "never"))
    defer { daemon.stop() }
    let program = try backend.start(folder)
    #expect(try program.exit() == .status(1))
    #expect(program.lines(containing: "never").count == 1)
    #expect(daemon.refusalCount.load(ordering: .relaxed) == 1)
    if backend == .vhostUserGPU {
      #expect(program.text(.error).split(separator: "\n").count == 1)
      #expect(LinuxFile.status("\(folder.path)/web.sock") == nil)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a name in use is retried with one line on each side, and taken once it is free`(backend: Backend) throws {
    let host = try TestDaemon()
    let (folder, daemon) = (host.folder, host.program)
    let first = try backend.start(folder)
    try daemon.line(containing: "connected with 1 scanout")
    let second = try backend.start(folder, socket: "second.sock")
    // Attempts follow after 0.1, 0.3, 0.7, 1.5 and 3.1 s.
    try second.line(containing: "is connected as web")
    try daemon.line(containing: "refused: process \(first.pid) is connected as web")
    #expect(!second.writesLine(containing: "is connected as web", milliseconds: 2000))
    #expect(!daemon.writesLine(containing: "refused", milliseconds: 0))
    #expect(second.isRunning)
    first.kill()
    try daemon.line(containing: "web (process \(second.pid)): connected with 1 scanout")
    for process in [second, daemon] { #expect(try process.end() == .status(0)) }
  }

  @Test(arguments: Backend.allCases)
  func `a missing output is waited for with one line on each side`(backend: Backend) throws {
    let host = try TestDaemon()
    let (folder, daemon) = (host.folder, host.program)
    let program = try backend.start(folder, backend.output("HDMI-A-9"))
    let words = "there is no output HDMI-A-9"
    #expect(try program.line(containing: words).contains("retrying"))
    try daemon.line(containing: words)
    #expect(!program.writesLine(containing: words, milliseconds: 2000))
    #expect(!daemon.writesLine(containing: words, milliseconds: 0))
    for process in [program, daemon] { #expect(try process.end() == .status(0)) }
  }

  @Test func `a backend whose QEMU is connected outlives a daemon that refuses it for good`() throws {
    let host = try TestDaemon()
    let (folder, daemon) = (host.folder, host.program)
    let backend = try Backend.vhostUserGPU.start(folder)
    try daemon.line(containing: "connected with 1 scanout")
    // QEMU's end of the vhost-user connection.
    try backend.wait(for: "socket") { LinuxFile.status("\(folder.path)/web.sock") != nil }
    let qemu = try UnixSocket.connect("\(folder.path)/web.sock", .stream)
    // The daemon's answers are read by the same loop as QEMU's connection.
    try backend.line(containing: "scanout 0:")
    daemon.kill()
    #expect(try daemon.exit() == .signal(SIGKILL))
    let strict = try RefusingDaemon("\(folder.path)/daemon.sock", ErrorMessage(code: .malformed, text: "never"))
    defer { strict.stop() }
    try backend.line(containing: "never")
    #expect(!backend.writesLine(containing: "never", milliseconds: 1500))
    #expect(backend.isRunning)
    #expect((2...6).contains(strict.refusalCount.load(ordering: .relaxed)))
    #expect(shutdown(qemu.fd.raw, Int32(SHUT_RDWR)) == 0)
    #expect(try backend.exit() == .status(0))
  }
}
