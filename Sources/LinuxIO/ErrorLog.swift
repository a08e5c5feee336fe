import Glibc

/// A service's log, line by line on standard error, that never makes the service wait.
///
/// Whoever reads a log may stop: a stopped terminal, a pipe that nobody empties. Then lines are lost, and counted,
/// rather than every screen stopped.
public final class ErrorLog {
  /// The most that one line may take, newline included, in bytes (PIPE_BUF): a pipe takes it whole or not at all.
  public static let lineByteCount = 4096

  private let prefix: String
  private let fd: Int32
  private var lostCount = 0

  /// A log whose lines begin with that.
  ///
  /// - Parameter fd: standard error (STDERR_FILENO) where nothing is said; stays the caller's.
  public init(_ prefix: String, fd: Int32 = 2) {
    self.prefix = prefix
    self.fd = fd
  }

  /// Writes a line, or loses it where it cannot be written at once; the next one that can be says how many were.
  ///
  /// The corresponding C functions are `poll` and `write`.
  public func write(_ text: String) {
    guard isWritable else {
      lostCount += 1
      return
    }
    if lostCount > 0 {
      put("\(lostCount) lines are lost: nobody read them")
      lostCount = 0
      guard isWritable else {
        lostCount = 1
        return
      }
    }
    put(text)
  }

  /// Descriptors that cannot be waited for, such as files, are always writable.
  private var isWritable: Bool {
    (try? waitUntilReady(fd, .writable, timeoutMilliseconds: 0)).map { !$0.isEmpty } ?? true
  }

  private func put(_ text: String) {
    let line = Array("\(prefix)\(text)".utf8.prefix(ErrorLog.lineByteCount - 1)) + [0x0A]
    _ = unsafe Glibc.write(fd, line, line.count)
  }
}
