import Glibc
import LinuxIO
import Sandbox
import TestSupport
import Testing

/// Every class of calls, tried for real by a process under the policy.
@Suite(.timeLimit(.minutes(2)))
struct PolicyTests {
  private func run(_ policy: String, _ action: String, _ more: [String] = []) throws -> ChildResult {
    try ChildProcess.run(ChildCommand(Programs.path("test-sandbox"), [policy, action] + more))
  }

  @Test(arguments: [
    ("openFile", "openat"), ("createFile", "openat"), ("statFile", "newfstatat"), ("exec", "execve"),
    ("fork", "clone"), ("socket", "socket"), ("connect", "socket"), ("bind", "bind"), ("kill", "kill"),
    ("ptrace", "ptrace"), ("mount", "mount"), ("execMemory", "mmap"), ("ownHandler", "rt_sigaction"),
    ("raiseLimit", "prlimit64"), ("otherThread", "openat"), ("truncatePath", "truncate"), ("ioctl", "ioctl"),
  ])
  func `a worker that leaves its sandbox is ended, and the call is named`(action: String, call: String) throws {
    let result = try run("worker", action)
    #expect(result.exit == .signal(SIGSYS), "\(result.exit)")
    #expect(result.error.hasPrefix("the sandbox does not allow the system call \(call) ("), "\(result.error)")
    #expect(result.error.split(separator: "\n").count == 1)
  }

  @Test(arguments: [
    ("exec", "execve"), ("fork", "clone"), ("udpSocket", "socket"), ("connect", "connect"), ("kill", "kill"),
    ("changeMode", "chmod"), ("changeOwner", "chown"), ("ptrace", "ptrace"), ("mount", "mount"), ("execMemory", "mmap"),
    ("truncatePath", "truncate"), ("ownHandler", "rt_sigaction"), ("ioctl", "ioctl"),
  ])
  func `a daemon that leaves its sandbox is ended, and the call is named`(action: String, call: String) throws {
    let result = try run("daemon", action)
    #expect(result.exit == .signal(SIGSYS), "\(result.exit)")
    #expect(result.error == "the sandbox does not allow the system call \(call) (\(number(result.error)))\n")
  }

  private func number(_ line: String) -> String {
    String(line.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" })
  }

  @Test(
    arguments: ["daemon", "card-daemon", "seat-daemon"],
    ["loop", "threads", "memory", "raise", "readSystem", "listDevices", "statFile"])
  func `what a daemon does every day is allowed`(policy: String, action: String) throws {
    // Without cards it needs no devices that come later.
    let isRefused = (policy, action) == ("daemon", "listDevices") && LinuxFile.status("/dev/dri") == nil
    let result = try run(policy, action)
    #expect(result.exit == .status(isRefused && Landlock.version > 0 ? 9 : 0), "\(result.exit) \(result.error)")
  }

  @Test(.enabled(if: Landlock.version > 0), arguments: ["openFile", "createFile"])
  func `a daemon opens and makes no files outside of its directories`(action: String) throws {
    #expect(try run("daemon", action).exit == .status(9))
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `a daemon with cards keeps one capability, to become their DRM master`() throws {
    let process = try TestProgram("test-sandbox", ["card-daemon", "hold"])
    #expect(try status(of: process, until: "Seccomp:\t2").contains("CapEff:\t0000000000200000"))
    process.kill()
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `a daemon with a seat keeps one more, for switches of terminals`() throws {
    let process = try TestProgram("test-sandbox", ["seat-daemon", "hold"])
    #expect(try status(of: process, until: "Seccomp:\t2").contains("CapEff:\t0000000004200000"))
    process.kill()
  }

  private func status(of process: TestProgram, until words: String) throws -> String {
    var text = ""
    try process.wait(for: "status with \(words)") {
      text = LinuxFile.text("/proc/\(process.pid)/status") ?? ""
      return text.contains(words)
    }
    return text
  }

  @Test func `a call that has no name yet is reported by its number`() throws {
    let result = try run("worker", "unknownCall")
    #expect(result.exit == .signal(SIGSYS))
    #expect(result.error == "the sandbox does not allow the system call 9999\n")
  }

  @Test(arguments: ["worker", "server"], ["loop", "threads", "memory", "raise"])
  func `what a worker does every day is allowed`(policy: String, action: String) throws {
    let result = try run(policy, action)
    #expect(result.exit == .status(0), "\(result.exit) \(result.error)")
  }

  @Test func `a worker can still end itself by abort`() throws {
    #expect(try run("worker", "abort").exit == .signal(SIGABRT))
  }

  @Test(.enabled(if: Landlock.version > 0), arguments: ["openFile", "createFile"])
  func `Landlock alone keeps files closed`(action: String) throws {
    #expect(try run("worker", action, ["files-only"]).exit == .status(9))
  }

  @Test func `a sandboxed process has no capabilities, gains none, writes no core and is not looked into`() throws {
    let process = try TestProgram("test-sandbox", ["worker", "hold"])
    let text = try status(of: process, until: "Seccomp:\t2")
    #expect(text.contains("NoNewPrivs:\t1"))
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
      #expect(text.contains("\(set):\t0000000000000000"), "\(text)")
    }
    if currentUserID() == 0 { #expect(text.contains("CapBnd:\t0000000000000000")) }
    let limits = try #require(LinuxFile.text("/proc/\(process.pid)/limits"))
    let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
    #expect(core?.split(separator: " ").suffix(3).map(String.init) == ["0", "0", "bytes"])
    process.kill()
  }
}
