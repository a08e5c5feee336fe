import Glibc

extension SignalFD {
  /// The signals that end a service: SIGTERM, SIGINT and SIGHUP.
  public static var terminationSignals: [Int32] { [SIGTERM, SIGINT, SIGHUP] }
  /// The signal that makes a service read its configuration file again: SIGHUP.
  public static var reloadSignal: Int32 { SIGHUP }
  /// The signal of a terminal's interrupt key: SIGINT.
  public static var interruptSignal: Int32 { SIGINT }
}

/// Makes writes to a closed pipe fail instead of killing this process.
///
/// The corresponding C function is `signal(SIGPIPE, SIG_IGN)`.
public func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

/// Writes a line to standard error in one piece; failure is ignored.
///
/// The corresponding C function is `write`.
public func writeErrorLine(_ text: String) {
  let line = text + "\n"
  _ = unsafe write(STDERR_FILENO, line, line.utf8.count)
}
