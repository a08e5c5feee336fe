import LinuxIO
import TestSupport
import Testing

/// A user who is not root measures programs in a sandbox.
@Suite(.timeLimit(.minutes(1)))
struct HiddenFiguresTests {
  @Test(.enabled(if: currentUserID() == 0))
  func `a user who may not see the memory of a sandboxed process is told so, and what to do`() throws {
    var command = ChildCommand(
      "setpriv",
      [
        "--reuid", "65534", "--regid", "65534", "--clear-groups", Programs.path("framepath-bench"), "memory",
        "--size", "320x200", "--idle", "0.05", "--runs", "1",
      ])
    command.addedEnvironment = ["TMPDIR": "/tmp"]
    let result = try ChildProcess.run(command, timeoutMilliseconds: 30_000)
    #expect(result.exit == .status(1))
    #expect(
      result.error.contains("framepath-vhost-user-gpu")
        && result.error.contains("lets only root see its memory and descriptors: run this as root"), "\(result.error)")
    #expect(!result.error.contains("has ended"), "\(result.error)")
  }
}
