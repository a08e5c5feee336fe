import LinuxIO

/// One line on stderr per event; never one per frame.
struct Log {
  let vm: String

  func info(_ message: String) { writeLine("info", message) }
  func warning(_ message: String) { writeLine("warning", message) }
  func error(_ message: String) { writeLine("error", message) }

  private func writeLine(_ level: String, _ message: String) {
    writeErrorLine("framepath-vhost-user-gpu[\(vm)]: \(level): \(message)")
  }
}
