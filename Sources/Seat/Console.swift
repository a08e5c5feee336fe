import Glibc
public import LinuxIO

/// The seat's console in this process's hands: a virtual terminal without text, on which no key has an effect.
///
/// Otherwise the login shell behind the VMs' pictures would read what is typed. The kernel asks before it switches to
/// another terminal, for example at `chvt`: then cards and input devices are given up, and taken back afterwards.
public final class Console {
  /// The signals by which the kernel asks. They must be received by a `SignalFD` that was made before any other thread.
  public static var signals: [Int32] { [SIGUSR1, SIGUSR2] }

  /// N of /dev/ttyN.
  public var number: Int { terminal.number }
  /// Whether it is on screen.
  public private(set) var isActive = true
  /// Called before another terminal is shown. Afterwards cards and input belong to others.
  public var onLeave: () -> Void = {}
  /// Called when the terminal is shown again.
  public var onReturn: () -> Void = {}
  /// Called if the process that gives the console back has ended.
  public var onGuardLost: () -> Void = {}

  private let terminal: VirtualTerminal
  private let signals: SignalFD
  private let previous: Int
  private let keyboard: Int32
  private let guardProcess: ChildProcess
  private var hasLostGuard = false
  private let loop: EventLoop
  private var sources: [EventLoop.Source] = []

  /// Takes a terminal that nobody uses, and shows it.
  ///
  /// Waits for programs of other terminals for at most 3 s.
  /// - Parameters:
  ///   - signals: of `Console.signals`.
  ///   - guardCommand: this program in the role of `ConsoleGuard`, without its last argument.
  public init(signals: consuming SignalFD, guardCommand: ChildCommand, loop: EventLoop) throws(SeatError) {
    previous = try Console.findText()
    self.signals = signals
    self.loop = loop
    do throws(SystemError) {
      guard let number = try VirtualTerminal.unused() else {
        throw SystemError(call: "ioctl(VT_OPENQRY)", code: ENOSPC, subject: "/dev/tty0")
      }
      terminal = try VirtualTerminal(number)
      keyboard = try terminal.modes().keyboard
      let task = ConsoleGuard.Task(
        daemon: currentProcessID(), terminal: number, previous: previous, keyboard: keyboard)
      var command = guardCommand
      command.arguments.append(task.text)
      command.descriptors = [ConsoleGuard.descriptor: terminal.fd.raw]
      guardProcess = try ChildProcess(command)
      guardProcess.leaveRunning()
      // Before the switch: no key of it reaches a shell.
      try terminal.askAtSwitches(release: SIGUSR1, acquire: SIGUSR2)
      try terminal.set(.closed)
      try terminal.activate(number)
      if try !VirtualTerminal.waitForSwitch(milliseconds: 2000, until: { $0 == number }) {
        throw SystemError(call: "ioctl(VT_ACTIVATE)", code: ETIMEDOUT, subject: "tty\(number)")
      }
      sources.append(try loop.add(self.signals.fd.raw) { [unowned self] _ in switched() })
      sources.append(try loop.add(guardProcess.pidFD) { [unowned self] _ in guardEnded() })
    } catch { throw .system(error) }
  }

  /// Stops following switches. The console is given back after the end of this process.
  public func close() {
    for source in sources { loop.remove(source) }
    sources = []
    // Without the other process this one must do it.
    if hasLostGuard { try? ConsoleGuard.giveBack(terminal, keyboard: keyboard, previous: previous) }
  }

  private func switched() {
    while let signal = signals.next() {
      if signal == SIGUSR1, isActive {
        isActive = false
        onLeave()
        terminal.release()
      } else if signal == SIGUSR2 {
        terminal.confirmAcquired()
        // The first switch, by `init`, is reported too.
        if isActive { continue }
        isActive = true
        onReturn()
      }
    }
  }

  private func guardEnded() {
    hasLostGuard = true
    // The descriptor stays readable.
    loop.remove(sources.removeLast())
    onGuardLost()
  }

  /// The active terminal, once it is a text console.
  private static func findText() throws(SeatError) -> Int {
    let found: (number: Int, holders: [FileOpener])
    do throws(SystemError) {
      let first = try lookAtActive()
      if first.holders.isEmpty { return first.number }
      // A daemon that has just ended gives its console back.
      _ = try VirtualTerminal.waitForSwitch(milliseconds: 1000) { $0 != first.number }
      found = try lookAtActive()
    } catch { throw .system(error) }
    if !found.holders.isEmpty { throw .held(terminal: found.number, by: found.holders) }
    return found.number
  }

  /// The active terminal, and the programs that show graphics on it.
  private static func lookAtActive() throws(SystemError) -> (number: Int, holders: [FileOpener]) {
    let number = try VirtualTerminal.active()
    let terminal = try VirtualTerminal(number)
    guard try terminal.modes().isGraphics else { return (number, []) }
    return (number, FileOpener.all(of: "/dev/tty\(number)"))
  }
}
