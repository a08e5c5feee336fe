import GuestMemory
import LinuxIO
import VhostUser
import Virtio

/// A vhost-user GPU backend that answers every request at once and does nothing, to measure the cost of the benchmark
/// and the transport.
public enum EmptyBackend {
  /// Serves the first frontend that connects, until it leaves.
  public static func serve(path: String) throws(BenchError) {
    do {
      let loop = try EventLoop()
      let signals = try SignalFD(SignalFD.terminationSignals)
      _ = try loop.add(signals.fd.raw) { _ in loop.stop() }
      let listener = try UnixSocket.listen(path, .stream)
      var session: BackendSession<EmptyDevice>?
      var failure: (any Error)?
      let accept = EmptyBackendDoor(listener)
      _ = try loop.add(accept.descriptor) { _ in
        guard session == nil else { return }
        do {
          guard let socket = try accept.next() else { return }
          session = try BackendSession(
            socket: socket, loop: loop, memory: GuestMemory(), device: EmptyDevice(), log: { _ in },
            onEnd: { _ in loop.stop() })
        } catch {
          failure = error
          loop.stop()
        }
      }
      try loop.run()
      removeFile(path)
      withExtendedLifetime(session) {}
      if let failure { throw failure }
    } catch {
      throw BenchError("the empty backend: \(error)")
    }
  }
}

/// Its vhost-user device.
private final class EmptyDevice: VhostUserDevice {
  /// The features that guests without blobs use.
  let features = VirtioFeatures([.version1, .indirectDescriptors, .eventIndex]).rawValue | 1 << 1
  /// Control and cursor.
  let queueCount = 2
  /// VIRTIO_GPU_RESP_OK_NODATA.
  private let answer: [UInt8] = [0x00, 0x11] + [UInt8](repeating: 0, count: 22)

  /// The config space of a device with one head.
  func readConfig(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    for index in buffer.indices { unsafe buffer[index] = offset + index == 8 ? 1 : 0 }
    return true
  }

  /// The config space is read-only.
  func writeConfig(at offset: Int, _ bytes: UnsafeRawBufferPointer) -> Bool { true }

  /// Answers available requests.
  func queueKicked(_ queue: VhostUserQueue) throws(VirtqueueError) {
    try queue.drain { chain in
      let count = unsafe answer.withUnsafeBytes { bytes in unsafe chain.write(bytes) }
      queue.push(head: chain.head, writtenByteCount: UInt32(count))
    }
    queue.notify()
  }

  /// Does nothing.
  func featuresAccepted(_ features: UInt64) {}
  /// Does nothing.
  func queueStarted(_ queue: VhostUserQueue) {}
  /// Does nothing.
  func queueStopping(_ queue: VhostUserQueue) {}
  /// Does nothing.
  func memoryChanged() {}
  /// Does nothing.
  func reset() {}
}

/// A listening socket that a handler can hold.
private final class EmptyBackendDoor {
  private let listener: UnixSocket
  var descriptor: Int32 { listener.fd.raw }
  init(_ listener: consuming UnixSocket) { self.listener = listener }
  func next() throws(SystemError) -> UnixSocket? { try listener.accept() }
}
