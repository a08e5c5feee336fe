/// A part of the superuser's rights: capabilities(7).
public enum Capability: UInt64, Sendable, CaseIterable {
  /// DRM master on a card that another process opened first, and again after a switch of the console.
  case systemAdministration = 21
  /// Switches of virtual terminals, and their modes.
  case terminals = 26

  /// The name in capabilities(7).
  public var name: String {
    switch self {
    case .systemAdministration: "CAP_SYS_ADMIN"
    case .terminals: "CAP_SYS_TTY_CONFIG"
    }
  }

  /// The set as bits.
  static func bits(_ set: Set<Capability>) -> UInt64 { set.reduce(0) { $0 | 1 << $1.rawValue } }
}
