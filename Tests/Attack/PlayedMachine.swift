import LinuxIO
import Sandbox
import TestSupport
import VhostUserFrontend

/// A VM: a real backend, and a process that plays its guest and its QEMU and flips two pictures for ever.
final class PlayedMachine {
  let name: String
  let backend: TestProgram
  let guest: TestProgram
  private let flips: FlipCounter

  /// Starts both.
  ///
  /// - Parameters:
  ///   - folder: for its socket, and for the backend's log.
  ///   - daemon: the daemon's frames socket.
  init(_ name: String, folder: String, daemon: String, output: String) throws {
    self.name = name
    let socket = "\(folder)/\(name).sock"
    var command = ChildCommand(
      Programs.path("framepath-vhost-user-gpu"),
      ["--vm", name, "--socket-path", socket, "--daemon", daemon, "--outputs", output])
    command.output = .null
    command.error = .file("\(folder)/\(name).log")
    backend = try TestProgram(command)
    flips = try FlipCounter()
    command = ChildCommand("/proc/self/exe", ["guest", "--socket-path", socket])
    command.output = .null
    command.descriptors = [FlipCounter.childDescriptor: flips.file.raw]
    guest = try TestProgram(command)
  }

  /// Waits until the guest has flipped a frame.
  func waitForFlip() throws {
    try guest.wait(for: "first flip") { flips.count > 0 || !guest.isRunning || !backend.isRunning }
  }

  /// Frames that the guest has flipped.
  var flipCount: UInt64 { flips.count }

  /// The launcher and its workers.
  var processes: [Int32] { LaunchedWorkers.with(backend.pid) }

  /// Ends the guest, then the backend.
  func end() {
    guest.kill()
    _ = try? guest.exit()
    backend.process.stop(timeoutMilliseconds: 2000)
  }

  deinit { end() }

  /// The guest's process: flips until the backend ends the connection.
  static func playGuest(path: String) throws {
    let flips = try FlipCounter(inherited: FlipCounter.childDescriptor)
    let player = try GuestPlayer(path: path, ramBytes: 16 << 20)
    player.frontend.timeoutMilliseconds = 60_000
    let pictures = try (1...2).map { try player.makeBlob(UInt32($0), width: 1280, height: 720) }
    for (index, picture) in pictures.enumerated() { player.fill(picture, UInt32(index * 0x7F_7F7F)) }
    while true {
      for picture in pictures {
        try player.flip(picture)
        flips.count += 1
      }
    }
  }
}
