import LinuxIO
import PresentClient

extension EventLoop {
  /// Serves a client until it is so: an emulated daemon takes its time.
  func run(until isDone: () -> Bool) throws {
    let deadline = monotonicNanoseconds() + 30_000_000_000
    while !isDone() {
      guard monotonicNanoseconds() < deadline else { throw LabError("the daemon did not answer within 30 s") }
      try runOnce(timeoutMilliseconds: 100)
    }
  }
}

/// Retries if the answer takes longer than a client waits, as with an emulated daemon.
func patiently<Result>(_ ask: () throws(PresentClientError) -> Result) throws -> Result {
  for _ in 0..<20 {
    do throws(PresentClientError) {
      return try ask()
    } catch {
      guard case .timedOut = error else { throw error }
    }
  }
  throw LabError("no answer to a request")
}
