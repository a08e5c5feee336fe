import GuestMemory
import LinuxIO
import TestSupport
import VhostUser
import Virtio

/// A device that answers each request with its bytes, each plus one, and records all calls.
final class TestDevice: VhostUserDevice {
  let features: UInt64 = VirtioFeatures([.version1, .indirectDescriptors, .eventIndex]).rawValue | 0b1011
  let queueCount = 2
  var config: [UInt8] = Array(0..<16)
  var events: [String] = []
  /// Holds the requests of queue 1 until it is set.
  var heldBack: [UInt16] = []

  func readConfig(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard offset + buffer.count <= config.count else { return false }
    buffer.copyBytes(from: config[offset..<offset + buffer.count])
    return true
  }

  func writeConfig(at offset: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard offset + bytes.count <= config.count else { return false }
    config.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    return true
  }

  func featuresAccepted(_ features: UInt64) { events.append("features \(String(features, radix: 16))") }
  func queueStarted(_ queue: VhostUserQueue) { events.append("start \(queue.index)") }

  func queueStopping(_ queue: VhostUserQueue) {
    if queue.index == 1 {
      for head in heldBack { queue.push(head: head, writtenByteCount: 0) }
      heldBack = []
      queue.notify()
    }
    events.append("stop \(queue.index)")
  }

  func queueKicked(_ queue: VhostUserQueue) throws(VirtqueueError) {
    try queue.drain(limit: 4) { chain in
      if queue.index == 1 {
        heldBack.append(chain.head)
        return
      }
      var bytes = [UInt8](repeating: 0, count: chain.readableByteCount)
      _ = bytes.withUnsafeMutableBytes { chain.read(into: $0) }
      for index in bytes.indices { bytes[index] &+= 1 }
      queue.push(head: chain.head, writtenByteCount: UInt32(bytes.withUnsafeBytes { chain.write($0) }))
    }
    queue.notify()
  }

  func memoryChanged() { events.append("memory") }
  func refused(_ reason: String?) { events.append("refused: \(reason ?? "no")") }
  func reset() { events.append("reset") }
  func displayConnected(_ isConnected: Bool) { events.append(isConnected ? "display" : "no display") }
}

/// A backend in a thread, and its end of the socket.
final class Backend {
  let device = TestDevice()
  let memory = GuestMemory()
  let loop: EventLoop
  var session: BackendSession<TestDevice>?
  var lines: [String] = []
  var end: SessionEnd?

  init() throws { loop = try EventLoop() }

  func serve(_ socket: consuming UnixSocket) throws {
    session = try BackendSession(
      socket: socket, loop: loop, memory: memory, device: device, log: { [weak self] in self?.lines.append($0) },
      onEnd: { [weak self] in self?.end = $0 })
    loop.beforeWait = { [weak self] in self?.session?.checkMemory() }
  }

  /// Serves available messages.
  func turn() throws {
    while try loop.runOnce(timeoutMilliseconds: 0) > 0 {}
  }
}
