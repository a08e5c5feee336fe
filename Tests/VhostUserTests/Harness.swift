import Foundation
import GuestMemory
import LinuxIO
import TestSupport
import VhostUser
import Virtio

/// The backend's thread ends when its session has ended.
final class Harness {
  let frontend: FakeFrontend
  let ram: GuestRAM
  private let done = DispatchSemaphore(value: 0)
  private let shared: Box

  /// The thread's results; valid after `finish`.
  private final class Box: @unchecked Sendable {
    var socket: UnixSocket?
    var events: [String] = []
    var lines: [String] = []
    var end: SessionEnd?
    var config: [UInt8] = []
  }

  init(
    shape: FakeFrontend.Shape = .completeDevice,
    features: VirtioFeatures = [.version1, .indirectDescriptors, .eventIndex]
  ) throws {
    ram = try GuestRAM(byteCount: 1 << 20)
    let pair = try UnixSocket.pair(.stream)
    frontend = try FakeFrontend(pair.first, shape: shape, ram: ram, features: features)
    shared = Box()
    shared.socket = .some(pair.second)
    let box = shared
    let done = done
    Thread.detachNewThread {
      Harness.run(box)
      done.signal()
    }
  }

  private static func run(_ box: Box) {
    do {
      guard let socket = box.socket.take() else { return }
      let backend = try Backend()
      try backend.serve(socket)
      while backend.end == nil {
        try backend.loop.runOnce(timeoutMilliseconds: 10_000)
        // Writing 0xff to the last config byte requests a config-change message.
        if backend.device.config.last == 0xff {
          backend.device.config[15] = 0
          backend.device.events.append("config change \(backend.session?.configChanged() == true)")
        }
      }
      box.events = backend.device.events
      box.lines = backend.lines
      box.end = backend.end
      box.config = backend.device.config
    } catch {
      box.lines = ["\(error)"]
    }
  }

  /// Waits until the backend's session has ended, without closing the connection.
  func finish() -> (events: [String], lines: [String], end: SessionEnd?, config: [UInt8]) {
    guard done.wait(timeout: .now() + 10) == .success else { return ([], ["the backend goes on"], nil, []) }
    return (shared.events, shared.lines, shared.end, shared.config)
  }

  /// Ends the connection as a frontend does, and returns the backend's results.
  func close() -> (events: [String], lines: [String], end: SessionEnd?, config: [UInt8]) {
    frontend.close()
    return finish()
  }

  /// One request and its answer on queue 0.
  func roundTrip(_ bytes: [UInt8], indirect: Bool = false) throws -> [UInt8] {
    let request = ram.allocate(bytes.count)
    let reply = ram.allocate(bytes.count)
    ram.write(bytes, at: request)
    frontend.queues[0].submit(
      [.readable(request, bytes.count), .writable(reply, bytes.count)], indirect: indirect)
    let used = try frontend.queues[0].waitForUsed()
    return ram.read(reply, Int(used.writtenByteCount))
  }
}
