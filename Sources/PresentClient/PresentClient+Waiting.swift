import LinuxIO
import PresentProtocol

extension PresentClient {
  /// Delivers events until `isDone`, for a caller that must wait for the daemon's answer.
  ///
  /// Must not be called from inside `onEvent`.
  /// - Parameter milliseconds: the longest wait.
  public func deliverEvents(milliseconds: Int, until isDone: () -> Bool) {
    let deadline = monotonicNanoseconds() + UInt64(max(milliseconds, 0)) * 1_000_000
    deliverDeferred()
    do {
      while !isDone(), let connection {
        flush()
        var fds = ReceivedFDs()
        if let message = try connection.receiveServerMessage(fds: &fds) {
          guard let event = accept(message) else { continue }
          deliverDeferred()
          onEvent?(event)
          continue
        }
        guard try connection.wait(for: queue.isEmpty ? .readable : [.readable, .writable], until: deadline) else {
          break
        }
      }
    } catch {
      lose("\(error)")
    }
    deliverDeferred()
  }
}
