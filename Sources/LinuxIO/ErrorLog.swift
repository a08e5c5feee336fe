import Glibc

/// A service's log, line by line on standard error, which never blocks the service.
///
/// The reader of a log may stop: a stopped terminal, a pipe that is not read. Then lines are dropped and counted, so
/// that the screens do not stop.
public final class ErrorLog {
  /// The longest line with its newline, in bytes (PIPE_BUF): a pipe takes it whole or not at all.
  public static let lineByteCount = 4096

  private let prefix: String
  private let fd: Int32
  private var lostCount = 0

  /// A log with `prefix` in front of each line.
  ///
  /// - Parameter fd: standard error (STDERR_FILENO) by default; the caller keeps it.
  public init(_ prefix: String, fd: Int32 = 2) {
    self.prefix = prefix
    self.fd = fd
  }

  /// Writes a line, or drops it if it cannot be written at once; the next line that can be reports how many were
  /// dropped.
  ///
  /// The corresponding C functions are `poll` and `write`.
  public func write(_ text: String) {
    guard isWritable else {
      lostCount += 1
      return
    }
    if lostCount > 0 {
      put("\(lostCount) log lines dropped (reader too slow)")
      lostCount = 0
      guard isWritable else {
        lostCount = 1
        return
      }
    }
    put(text)
  }

  /// Descriptors without a wait queue, such as files, are always writable.
  private var isWritable: Bool {
    (try? waitUntilReady(fd, .writable, timeoutMilliseconds: 0)).map { !$0.isEmpty } ?? true
  }

  private func put(_ text: String) {
    // Names and texts of others may be in it.
    let line = Array("\(prefix)\(text.printable)".utf8.prefix(ErrorLog.lineByteCount - 1)) + [0x0A]
    _ = unsafe Glibc.write(fd, line, line.count)
  }
}
