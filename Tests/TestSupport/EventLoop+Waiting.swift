public import LinuxIO

extension EventLoop {
  /// Runs until something is so.
  ///
  /// - Parameters:
  ///   - milliseconds: the longest time.
  ///   - isSo: asked after each round.
  /// - Returns: whether it came in time.
  public func wait(milliseconds: UInt64 = 10_000, until isSo: () throws -> Bool) throws -> Bool {
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    while try !isSo() {
      if monotonicNanoseconds() >= deadline { return false }
      try runOnce(timeoutMilliseconds: 5)
    }
    return true
  }

  /// Runs for that long, for something that must not happen.
  public func idle(milliseconds: UInt64) throws { _ = try wait(milliseconds: milliseconds) { false } }
}
