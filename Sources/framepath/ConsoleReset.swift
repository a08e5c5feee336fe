import LinuxIO
import Seat

/// `framepath doctor --reset-console`.
enum ConsoleReset {
  /// Resets every terminal that a program has left without text or keyboard.
  ///
  /// - Returns: a line for each.
  static func run() throws(SystemError) -> [String] {
    var lines: [String] = []
    for state in try ConsoleState.all() where state.isAbandoned {
      try state.reset()
      lines.append("tty\(state.terminal) has text and a keyboard again")
    }
    return lines
  }
}
