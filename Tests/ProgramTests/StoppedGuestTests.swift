import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel
import TestSupport
import Testing

/// A guest's pages on the screen when its device stops, with the real daemon and backend.
@Suite(.timeLimit(.minutes(1)))
struct StoppedGuestTests {
  private static let green: UInt32 = 0x00_FF00
  private static let secret: UInt32 = 0xBA_D0BA

  private func isStopped(_ program: TestProgram) -> Bool {
    let fields = LinuxFile.text("/proc/\(program.pid)/stat")?.split(separator: ")").last
    return fields?.split(separator: " ").first == "T"
  }

  private func colours(_ daemon: TestDaemon) throws -> Set<UInt32> {
    let picture = try PresentTool.snapshot(.output(name: "headless-0"), path: daemon.socket).mapped
    var seen: Set<UInt32> = []
    for y in stride(from: 0, to: picture.layout.height, by: 8) {
      for x in stride(from: 0, to: picture.layout.width, by: 8) {
        seen.insert(
          picture.pixels.load(fromByteOffset: y * picture.layout.strideBytes + x * 4, as: UInt32.self) & 0xFF_FFFF)
      }
    }
    return seen
  }

  /// The daemon does not run for a while: the guest's pages stay on screen, so the guest must not go on.
  @Test(arguments: [true, false])
  func `a stop is answered when the daemon has let go of the guest's pages, or has ended`(continues: Bool) throws {
    let guest = try PlayedGuest()
    let (daemon, player) = (guest.daemon, guest.player)
    let picture = try player.makeBlob(1, width: 320, height: 200)
    player.fill(picture, Self.green)
    try player.flip(picture)
    #expect(try guest.scanout().path == .direct)
    #expect(try colours(daemon) == [Self.green])

    try #require(try ChildProcess.run(ChildCommand("kill", ["-STOP", "\(daemon.program.pid)"])).exit.isSuccess)
    let later = continues ? "-CONT" : "-KILL"
    let helper = try ChildProcess(ChildCommand("sh", ["-c", "sleep 0.5; kill \(later) \(daemon.program.pid)"]))
    try player.frontend.stop()
    #expect(!isStopped(daemon.program), "the pages were given back while they were on screen")
    player.fill(picture, Self.secret)
    helper.waitForExit()
    if continues {
      for _ in 0..<20 { #expect(try colours(daemon).isSubset(of: [Self.green, 0])) }
      // The copy comes back after black.
      var last: Set<UInt32> = []
      for _ in 0..<200 where last != [Self.green] { last = try colours(daemon) }
      #expect(last == [Self.green])
    }
    #expect(guest.backend.isRunning)
  }
}
