import Foundation
import LinuxIO
import PresentProtocol
import Synchronization

/// A daemon that answers every HELLO with the same ERROR and closes, as framepathd does.
final class RefusingDaemon: @unchecked Sendable {
  private let stopping: EventFD
  private let ended = DispatchSemaphore(value: 0)
  /// How many clients it has refused.
  let refusalCount = Atomic<Int>(0)

  init(_ path: String, _ message: ErrorMessage) throws {
    stopping = try EventFD()
    removeFile(path)
    let socket = SharedFD(try UnixSocket.listen(path, .seqpacket).fd.duplicate())
    Thread.detachNewThread { [self] in
      serve(socket, message)
      ended.signal()
    }
  }

  private func serve(_ listening: SharedFD, _ message: ErrorMessage) {
    do {
      let listener = UnixSocket(taking: try listening.duplicate())
      try listener.fd.setNonblocking()
      let loop = try EventLoop()
      _ = try loop.add(stopping.fd.raw) { [unowned loop] _ in loop.stop() }
      _ = try loop.add(listening.raw) { [self] _ in
        guard let socket = try? listener.accept(), let client = try? PresentConnection(socket) else { return }
        // Closing a socket with unread data resets it, and discards the answer.
        var fds = ReceivedFDs()
        _ = try? waitUntilReady(client.descriptor, .readable, timeoutMilliseconds: 1000)
        _ = try? client.receiveClientMessage(fds: &fds)
        _ = try? client.send(.error(message, request: 0))
        refusalCount.add(1, ordering: .relaxed)
      }
      try loop.run()
    } catch {
      print("the refusing daemon ended: \(error)")
    }
  }

  func stop() {
    stopping.signal()
    ended.wait()
  }
}
