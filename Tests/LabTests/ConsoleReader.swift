import LinuxIO

/// What a login shell would be: a process that reads lines from a virtual terminal.
final class ConsoleReader {
  private let process: ChildProcess
  private let file: String

  /// Reads /dev/ttyN into a file of the folder.
  init(terminal: Int, folder: String) throws {
    file = "\(folder)/tty\(terminal)"
    let words = "exec cat </dev/tty\(terminal) >\(file)"
    process = try ChildProcess(ChildCommand("setsid", ["-w", "sh", "-c", words]))
    try LabHost.wait(for: file)
  }

  deinit { process.stop() }

  /// The lines that it has got.
  var lines: [String] {
    (LinuxFile.text(file) ?? "").split(separator: "\n").map(String.init)
  }

  /// Waits until the last line is this one.
  func wait(forLine line: String) throws {
    try LabHost.wait("the line \(line) on the console, not \(lines)", seconds: 30) { lines.last == line }
  }
}

/// The kernel's virtual terminals.
enum VirtualTerminals {
  /// The number of the active one.
  static var active: Int? {
    (LinuxFile.text("/sys/class/tty/tty0/active")).flatMap { Int($0.dropFirst(3)) }
  }

  /// Has the kernel show another one, as an administrator would by `chvt`.
  static func show(_ number: Int) throws {
    let result = try ChildProcess.run(
      ChildCommand("/run/lab/busybox", ["chvt", "\(number)"]), timeoutMilliseconds: 60_000)
    guard result.exit.isSuccess else { throw LabError("chvt \(number): \(result.error)") }
  }
}
