import ArgumentParser

/// A value of `--seat`.
enum SeatChoice: ExpressibleByArgument, Equatable {
  /// The console and input devices of seat0, if cards are driven and they can be had.
  case auto
  /// They stay as they are.
  case none
  /// A seat, which must be had.
  case named(String)

  init?(argument: String) {
    switch argument {
    case "auto": self = .auto
    case "none": self = .none
    // As systemd's seats are named: sd-login(3).
    case let name where name.hasPrefix("seat") && name.utf8.count > 4 && name.utf8.count < 32: self = .named(name)
    default: return nil
    }
  }
}
