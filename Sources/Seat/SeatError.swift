public import LinuxIO

/// Why a seat's console cannot be taken.
public enum SeatError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// The active terminal shows another program's graphics.
  case held(terminal: Int, by: [FileOpener])

  /// A message for the user.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .held(let terminal, let holders):
      "tty\(terminal) shows graphics of \(holders.map(\.description).joined(separator: ", "))"
    }
  }
}
