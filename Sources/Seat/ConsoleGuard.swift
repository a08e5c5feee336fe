import CLinux
import Glibc
public import LinuxIO

/// A process that gives the console back when the daemon has ended, however it has ended.
///
/// A terminal whose keyboard is off and that the kernel does not draw on stays so after its program: nobody could type
/// on this host any more. The daemon cannot see to it after SIGKILL, and this process needs no rights that the daemon
/// would have to keep.
public enum ConsoleGuard {
  /// What the daemon tells it on its command line.
  struct Task: Equatable {
    /// The daemon.
    var daemon: Int32
    /// The daemon's terminal, which is open as descriptor 3.
    var terminal: Int
    /// The terminal that was active before.
    var previous: Int
    /// How keys reached the daemon's terminal before.
    var keyboard: Int32

    var text: String { "\(daemon),\(terminal),\(previous),\(keyboard)" }

    init(daemon: Int32, terminal: Int, previous: Int, keyboard: Int32) {
      self.daemon = daemon
      self.terminal = terminal
      self.previous = previous
      self.keyboard = keyboard
    }

    init?(_ text: String) {
      let numbers = text.split(separator: ",").compactMap { Int32($0) }
      guard numbers.count == 4 else { return nil }
      self.init(daemon: numbers[0], terminal: Int(numbers[1]), previous: Int(numbers[2]), keyboard: numbers[3])
    }
  }

  static let descriptor: Int32 = 3

  /// Waits for the end of the daemon and gives its console back.
  ///
  /// - Parameter text: the option's value, from `Console`.
  public static func run(_ text: String) throws(SystemError) {
    guard let task = Task(text) else {
      throw SystemError(call: "console guard", code: EINVAL, subject: text)
    }
    // Signals for the daemon's group and from a terminal reach this process, too; it ends after the daemon.
    let signals = try SignalFD(SignalFD.terminationSignals + Console.signals)
    defer { withExtendedLifetime(signals.fd.raw) {} }
    let terminal = VirtualTerminal(task.terminal, taking: OwnedFD(taking: descriptor))
    try terminal.fd.setCloseOnExec()
    let pidfd = clinux_pidfd_open(task.daemon)
    if pidfd >= 0 {
      let daemon = OwnedFD(taking: pidfd)
      _ = try waitUntilReady(daemon.raw, .readable, timeoutMilliseconds: -1)
    }
    try giveBack(terminal, keyboard: task.keyboard, previous: task.previous)
  }

  /// Makes a terminal a text console again, and shows the previous one if it is still on screen.
  static func giveBack(
    _ terminal: borrowing VirtualTerminal, keyboard: Int32, previous: Int
  ) throws(SystemError) {
    try terminal.doNotAsk()
    try terminal.set(VirtualTerminal.Modes(display: VirtualTerminal.Modes.text.display, keyboard: keyboard))
    if try VirtualTerminal.active() == terminal.number { try terminal.activate(previous) }
  }
}
