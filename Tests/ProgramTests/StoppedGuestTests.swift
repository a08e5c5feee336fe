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
    let picture = try PresentTool.snapshot(.output(name: "headless-0"), path: daemon.controlSocket).mapped
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

  /// Pauses, resets that the device is told of, and resets that look like a pause.
  @Test(arguments: [
    (Frontend.Shape.completeDevice, [String]()), (.vhostUserGPU, []), (.vhostUserGPU, ["--path", "direct"]),
  ])
  func `in twenty resets of a moving picture nobody sees what is written into its pages afterwards`(
    shape: Frontend.Shape, arguments: [String]
  ) throws {
    let guest = try PlayedGuest(shape: shape, arguments)
    let player = guest.player
    let memory = (0..<2).map { _ in player.memory(width: 320, height: 200, pieceBytes: 8192) }
    var known: Set<UInt32> = [0]
    for round in 0..<20 {
      for (index, pieces) in memory.enumerated() {
        let resource = UInt32(index + 1)
        if shape == .completeDevice {
          try player.ask(GPURequest.createBlob(resource, pieces))
        } else {
          try player.ask(GPURequest.create2D(resource, width: 320, height: 200))
          try player.ask(GPURequest.attachBacking(resource, pieces))
        }
      }
      for flip in 0..<4 {
        let picture = GuestPlayer.Picture(
          resource: UInt32(flip % 2 + 1), width: 320, height: 200, pieces: memory[flip % 2])
        let colour = UInt32(round * 4 + flip + 1)
        known.insert(colour)
        player.fill(picture, colour)
        if shape == .completeDevice {
          try player.flip(picture)
        } else {
          try player.ask(GPURequest.transfer(picture.resource, width: 320, height: 200))
          try player.ask(GPURequest.setScanout(picture.resource, width: 320, height: 200))
          try player.ask(GPURequest.flush(picture.resource, width: 320, height: 200))
        }
      }
      if round == 0, shape == .completeDevice || !arguments.isEmpty { #expect(try guest.scanout().path == .direct) }
      // QEMU 11 does not send RESET_DEVICE for the complete device.
      try player.frontend.reset(sendsResetDevice: round % 2 == 1)
      for pieces in memory {
        for piece in pieces { player.ram.fill(piece.address, piece.byteCount / 4, pixels: Self.secret) }
      }
      for _ in 0..<8 { #expect(try colours(guest.daemon).isSubset(of: known)) }
      try player.frontend.start()
      for _ in 0..<4 { #expect(try colours(guest.daemon).isSubset(of: known)) }
    }
    #expect(guest.backend.isRunning)
  }
}
