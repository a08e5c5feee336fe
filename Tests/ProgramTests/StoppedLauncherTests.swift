import Glibc
import LinuxIO
import PresentClient
import StatusModel
import TestSupport
import Testing
import VhostUser

/// A launcher that does not run for a while: stopped here, or kept from running by a machine that is overloaded.
@Suite(.timeLimit(.minutes(1)))
struct StoppedLauncherTests {
  @Test func `without its launcher and its daemon a backend answers QEMU at once and the guest at its monitor's rate`()
    throws
  {
    let guest = try PlayedGuest()
    let player = guest.player
    let picture = try player.makeBlob(1, width: 320, height: 200)
    for _ in 0..<5 { try player.flip(picture) }
    #expect(kill(guest.backend.pid, SIGSTOP) == 0)
    guest.daemon.program.kill()
    _ = try guest.daemon.program.exit()

    // Many attempts to connect fall into this time; each of them asks the launcher.
    let start = monotonicNanoseconds()
    var (flips, longest, now) = (0, UInt64(0), start)
    while now - start < 1_500_000_000 {
      try player.flip(picture)
      _ = try player.frontend.askNumber(.getFeatures)
      let then = monotonicNanoseconds()
      longest = max(longest, then - now)
      now = then
      flips += 1
    }
    #expect(longest < 1_000_000_000, "the guest waited \(longest / 1_000_000) ms")
    #expect(
      UInt64(flips) <= (now - start) * 60 / 1_000_000_000 + 3, "\(flips) flips in \((now - start) / 1_000_000) ms")
    #expect(flips >= 30, "\(flips) flips in \((now - start) / 1_000_000) ms at 60 Hz")
    #expect(guest.backend.isRunning)

    #expect(kill(guest.backend.pid, SIGCONT) == 0)
    let second = try TestProgram(
      "framepathd", ["--output", "headless:320x200@60", "--socket", guest.daemon.socket])
    try second.line(containing: "ready")
    try second.wait(for: "picture of the guest") {
      try player.flip(picture)
      return try PresentTool.status(path: guest.daemon.controlSocket).scanout(ofVM: "web")?.framesFlipped ?? 0 > 1
    }
  }

  @Test func `a region's server goes on without its launcher, and its guests' frames are shown when both are back`()
    throws
  {
    let first = try TestDaemon()
    let path = "\(first.folder.path)/web.sock"
    let server = try TestProgram(
      "framepath-ivshmem",
      ["--vm", "web", "--socket-path", path, "--resolution", "320x200", "--daemon", first.socket])
    try server.line(containing: "ready")
    try server.line(containing: "web: connected to framepathd")
    #expect(kill(server.pid, SIGSTOP) == 0)
    first.program.kill()
    _ = try first.program.exit()
    try server.line(containing: "web: ")
    // The first attempt follows after 100 ms; a server that waits for its answer accepts nobody until much later.
    HostProcess.sleep(milliseconds: 200)
    let start = monotonicNanoseconds()
    for _ in 0..<4 {
      let client = try UnixSocket.connect(path, .stream)
      #expect(try waitUntilReady(client.fd.raw, .readable, timeoutMilliseconds: 10_000).contains(.readable))
    }
    let milliseconds = (monotonicNanoseconds() - start) / 1_000_000
    #expect(milliseconds < 4000, "\(milliseconds) ms for four clients")

    #expect(kill(server.pid, SIGCONT) == 0)
    let second = try TestProgram("framepathd", ["--output", "headless:320x200@60", "--socket", first.socket])
    try second.line(containing: "ready")
    try server.line(containing: "web: connected to framepathd")
    #expect(try server.end() == .status(0))
  }

  @Test func `a link that cannot be made ends a region's server with the reason`() throws {
    let daemon = try TestDaemon()
    let path = "\(daemon.folder.path)/web.sock"
    #expect(try ChildProcess.run(ChildCommand("mkdir", ["-p", "\(path).region/full"])).exit.isSuccess)
    let server = try TestProgram(
      "framepath-ivshmem",
      ["--vm", "web", "--socket-path", path, "--resolution", "320x200", "--daemon", daemon.socket])
    #expect(try server.exit() == .status(1))
    #expect(server.lines(containing: "symlink").count == 1, "\(server.text(.error))")
    #expect(server.lines(containing: "ready").isEmpty)
  }
}
