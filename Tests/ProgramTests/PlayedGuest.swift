import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel
import TestSupport
import Testing

/// A real daemon and backend with a guest whose commands a test plays.
final class PlayedGuest {
  let daemon: TestDaemon
  let backend: TestProgram
  let player: GuestPlayer

  init(
    outputs: [String] = ["headless:320x200@60"], shape: Frontend.Shape = .completeDevice, ramBytes: Int = 8 << 20,
    features: UInt64? = nil, usedQueueCount: Int = .max, _ arguments: [String] = []
  ) throws {
    daemon = try TestDaemon(outputs: outputs)
    let socket = "\(daemon.folder.path)/web.sock"
    backend = try TestProgram(
      "framepath-vhost-user-gpu",
      ["--vm", "web", "--socket-path", socket, "--daemon", daemon.socket] + arguments)
    player = try GuestPlayer(
      path: socket, shape: shape, ramBytes: ramBytes, features: features, usedQueueCount: usedQueueCount)
  }

  /// The VM's first scanout in the status.
  func scanout() throws -> DaemonStatus.Scanout {
    try #require(try PresentTool.status(path: daemon.controlSocket).scanout(ofVM: "web"))
  }

  /// The picture of a scanout.
  func picture(_ scanout: UInt32 = 0) throws -> MappedBuffer {
    try PresentTool.snapshot(.vm(name: "web", scanout: scanout), path: daemon.controlSocket).mapped
  }

  /// Waits until the pixels at some places are those; returns the last ones seen. An unpaced guest does not wait for its
  /// frame.
  func pixels(
    _ places: [(x: Int, y: Int)], scanout: UInt32 = 0, until wanted: [UInt32]
  ) throws -> [UInt32] {
    var seen: [UInt32] = []
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while seen != wanted, monotonicNanoseconds() < deadline {
      let picture = try picture(scanout)
      seen = places.map { place in
        guard place.x < picture.layout.width, place.y < picture.layout.height else { return .max }
        return picture.pixels.load(
          fromByteOffset: place.y * picture.layout.strideBytes + place.x * 4, as: UInt32.self) & 0xFF_FFFF
      }
    }
    return seen
  }
}
