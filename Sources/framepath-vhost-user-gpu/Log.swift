import LinuxIO

/// Logs events to standard error, one line each; never per frame.
struct Log {
  private let lines: ErrorLog

  init(vm: String) { lines = ErrorLog("framepath-vhost-user-gpu[\(vm)]: ") }

  func info(_ message: String) { writeLine("info", message) }
  func warning(_ message: String) { writeLine("warning", message) }
  func error(_ message: String) { writeLine("error", message) }

  /// A line with its level.
  func write(_ line: String) { lines.write(line) }

  private func writeLine(_ level: String, _ message: String) {
    write("\(level): \(message)")
  }
}
