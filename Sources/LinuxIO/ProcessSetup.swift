import Glibc

extension SignalFD {
  /// The signals by which a service is asked to end: SIGTERM, SIGINT and SIGHUP.
  public static var terminationSignals: [Int32] { [SIGTERM, SIGINT, SIGHUP] }
  /// The signal by which a service with a configuration file is asked to read it again: SIGHUP.
  public static var reloadSignal: Int32 { SIGHUP }
}

/// Lets writes to a closed pipe fail instead of ending this process.
///
/// The corresponding C function is `signal(SIGPIPE, SIG_IGN)`.
public func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

/// Writes a line to standard error in one piece; a failure is passed over.
///
/// The corresponding C function is `write`.
public func writeErrorLine(_ text: String) {
  let line = text + "\n"
  _ = unsafe write(STDERR_FILENO, line, line.utf8.count)
}
