/// The users that may lease an output by the frames socket, besides the clients of the control socket.
public enum LeasePolicy: Hashable, Sendable {
  /// Nobody, not even by the control socket.
  case off
  /// Clients of the control socket, and these users and members of these groups, by number.
  case allowed(users: [UInt32], groups: [UInt32])

  /// Clients of the control socket.
  public static let own = LeasePolicy.allowed(users: [], groups: [])

  /// Reads `off`, `own`, or a list such as `uid 1000, gid 44`.
  public init(_ text: String) throws(SettingsError) {
    switch text {
    case "off": self = .off
    case "own": self = .own
    default:
      var (users, groups): ([UInt32], [UInt32]) = ([], [])
      for item in text.split(separator: ",", omittingEmptySubsequences: false) {
        let words = item.split(separator: " ")
        guard words.count == 2, let number = UInt32(words[1]), number != .max else {
          throw LeasePolicy.refusal(text)
        }
        switch words[0] {
        case "uid": users.append(number)
        case "gid": groups.append(number)
        default: throw LeasePolicy.refusal(text)
        }
      }
      self = .allowed(users: users, groups: groups)
    }
  }

  private static func refusal(_ text: String) -> SettingsError {
    SettingsError("lease is \(SettingType.leasePolicy.expected), not \(text)")
  }

  /// The text form used in settings.
  public var text: String {
    switch self {
    case .off: return "off"
    case .allowed(let users, let groups):
      let items = users.map { "uid \($0)" } + groups.map { "gid \($0)" }
      return items.isEmpty ? "own" : items.joined(separator: ", ")
    }
  }
}

extension LeasePolicy: SettingConvertible {
  /// From a lease policy.
  public init?(_ value: SettingValue) {
    guard case .leasePolicy(let policy) = value else { return nil }
    self = policy
  }

  /// The policy.
  public var settingValue: SettingValue { .leasePolicy(self) }
}
