public import LinuxIO

/// A virtual terminal that does not serve its user: no text, or no keys.
public struct ConsoleState: Equatable, Sendable {
  /// N of /dev/ttyN.
  public var terminal: Int
  /// Whether it is on screen.
  public var isActive: Bool
  /// Whether the kernel draws no text on it.
  public var isGraphics: Bool
  /// Whether keys have no effect on it.
  public var isKeyboardOff: Bool
  /// The programs that have it open: it is theirs. Without one, its program has ended and left it so.
  public var holders: [FileOpener]

  /// A state.
  public init(terminal: Int, isActive: Bool, isGraphics: Bool, isKeyboardOff: Bool, holders: [FileOpener]) {
    self.terminal = terminal
    self.isActive = isActive
    self.isGraphics = isGraphics
    self.isKeyboardOff = isKeyboardOff
    self.holders = holders
  }

  /// Whether nobody can use it and nobody will change that.
  public var isAbandoned: Bool { (isGraphics || isKeyboardOff) && holders.isEmpty }

  /// All terminals that exist. A host without any has /dev/tty0 missing, and the error is ENOENT.
  public static func all() throws(SystemError) -> [ConsoleState] {
    let active = try VirtualTerminal.active()
    var states: [ConsoleState] = []
    for number in VirtualTerminal.existing() {
      let modes = try VirtualTerminal(number).modes()
      states.append(
        ConsoleState(
          terminal: number, isActive: number == active, isGraphics: modes.isGraphics,
          isKeyboardOff: modes.isKeyboardOff, holders: FileOpener.all(of: "/dev/tty\(number)")))
    }
    return states
  }

  /// Makes this terminal a text console with a keyboard, which the kernel may switch from.
  public func reset() throws(SystemError) {
    let terminal = try VirtualTerminal(terminal)
    try terminal.doNotAsk()
    try terminal.set(.text)
  }
}
