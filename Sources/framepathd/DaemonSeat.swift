import Glibc
import LinuxIO
import PresentServer
import Sandbox
import Seat
import StatusModel

/// The console and the input devices in front of the daemon's monitors: nothing that is typed there reaches a shell of
/// this host behind the VMs' pictures.
final class DaemonSeat {
  private let name: String
  private let console: Console?
  private let input: InputDevices
  private let log: ErrorLog

  /// The option for `ConsoleGuard`, which the daemon passes to itself.
  static let guardOption = "--console-guard"

  /// Takes them before the daemon gives up its rights.
  ///
  /// - Parameters:
  ///   - left: paths of input devices that other programs get.
  ///   - hasCards: whether there is a monitor in front of which somebody types.
  /// - Returns: nil if they are not taken; the log has the reason.
  static func take(
    _ choice: SeatChoice, leaving left: [String], hasCards: Bool, signals: consuming SignalFD, loop: EventLoop,
    log: ErrorLog
  ) throws -> DaemonSeat? {
    guard hasCards else { return nil }
    if choice == .none {
      log.write("warning: --seat none: \(DaemonSeat.consequence)")
      return nil
    }
    var name = InputDevices.defaultSeat
    if case .named(let wanted) = choice { name = wanted }
    do {
      // Only the first seat has virtual terminals.
      let hasConsole = name == InputDevices.defaultSeat
      let console = hasConsole ? try takeConsole(signals, loop) : nil
      return try DaemonSeat(name, leaving: left, console, loop, log)
    } catch {
      if case .system(let error) = error, error.code == ENOENT || error.code == ENODEV || error.code == ENXIO {
        log.write("this host has no virtual terminals: there is no console to close")
        return nil
      }
      if choice != .auto { throw error }
      log.write("warning: the console is not closed: \(error): \(DaemonSeat.consequence)")
      return nil
    }
  }

  private static let consequence =
    "what is typed in front of the monitors goes to this host's console behind the pictures"

  private static func takeConsole(_ signals: consuming SignalFD, _ loop: EventLoop) throws(SeatError) -> Console {
    let command: ChildCommand
    do throws(SystemError) { command = try OwnProgram.command(adding: [guardOption]) } catch { throw .system(error) }
    return try Console(signals: signals, guardCommand: command, loop: loop)
  }

  private init(
    _ name: String, leaving left: [String], _ console: Console?, _ loop: EventLoop, _ log: ErrorLog
  ) throws(SeatError) {
    self.name = name
    self.console = console
    self.log = log
    do throws(SystemError) {
      input = try InputDevices(seat: name, leaving: left, loop: loop) { log.write($0) }
    } catch { throw .system(error) }
    input.start()
    let devices = "\(input.count) input device\(input.count == 1 ? "" : "s")"
    log.write(
      "\(name): \(devices) and \(console.map { "the console, now tty\($0.number)," } ?? "no console") are closed")
    console?.onGuardLost = {
      log.write("warning: after a crash, use framepath doctor --reset-console: the process that would do it has ended")
    }
  }

  /// For the status.
  private var status: DaemonStatus.Seat {
    DaemonStatus.Seat(
      name: name, terminal: console?.number, isShown: console?.isActive ?? true, inputDevices: input.count)
  }

  /// Gives cards and devices up while another console is shown.
  func follow(_ server: Server, _ outputs: OutputSet) {
    server.seatStatus = { [unowned self] in status }
    console?.onLeave = { [unowned self] in
      outputs.giveUpCards()
      server.setMonitorsAway(true)
      input.release()
      log.write("another console is shown")
    }
    console?.onReturn = { [unowned self] in
      input.grab()
      outputs.takeCardsBack()
      server.setMonitorsAway(false)
      log.write("this console is shown again")
    }
  }

  /// Gives the console back, at the end of the process.
  func close() { console?.close() }
}
