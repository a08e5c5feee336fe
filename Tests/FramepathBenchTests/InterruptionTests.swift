import Glibc
import LinuxIO
import TestSupport
import Testing

/// An interrupted measurement leaves nothing behind.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct InterruptionTests {
  /// Processes that have `text` in their arguments.
  private func processes(naming text: String) throws -> [Int32] {
    try LinuxFile.list("/proc").compactMap { Int32($0) }.filter { pid in
      pid != currentProcessID()
        && String(decoding: (try? LinuxFile.read("/proc/\(pid)/cmdline")) ?? [], as: UTF8.self).contains(text)
    }
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func `an interrupted bench ends its children and removes its folder`(signal: Int32) throws {
    let folder = try TemporaryFolder(prefix: "framepath-interrupted")
    var command = ChildCommand(
      Programs.path("framepath"), ["bench", "throughput", "--sizes", "640x480", "--seconds", "30"])
    command.addedEnvironment = ["TMPDIR": folder.path]
    let bench = try TestProgram(command)
    let deadline = monotonicNanoseconds() + 20_000_000_000
    while try processes(naming: folder.path).count < 2 {
      try #require(monotonicNanoseconds() < deadline)
      HostProcess.sleep(milliseconds: 20)
    }
    #expect(try !LinuxFile.list(folder.path).isEmpty)
    bench.signal(signal)
    #expect(try bench.exit() == .status(128 + signal))
    #expect(try LinuxFile.list(folder.path).isEmpty)
    #expect(try processes(naming: folder.path).isEmpty)
  }
}
