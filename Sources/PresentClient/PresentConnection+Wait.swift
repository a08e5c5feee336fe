import LinuxIO
import PresentProtocol

extension PresentConnection {
  /// Waits until the socket is ready.
  ///
  /// - Parameter deadline: CLOCK_MONOTONIC in nanoseconds.
  /// - Returns: false, without waiting, if the deadline has passed.
  func wait(for interest: Readiness, until deadline: UInt64) throws(SystemError) -> Bool {
    let now = monotonicNanoseconds()
    if now >= deadline { return false }
    let milliseconds = Int32(clamping: (deadline - now + 999_999) / 1_000_000)
    _ = try waitUntilReady(descriptor, interest, timeoutMilliseconds: milliseconds)
    return true
  }
}
