/// A setting's value in files, command lines and messages.
public enum SettingValue: Hashable, Sendable {
  /// No value: never, no limit or the default, depending on the setting.
  case none
  /// Seconds, hertz, bytes or a share.
  case whole(Int64)
  /// One of the setting's choices, in the canonical spelling.
  case choice(String)
  /// How VMs share an output.
  case layout(OutputLayout)
  /// The users that may lease an output.
  case leasePolicy(LeasePolicy)
  /// Names of outputs, in order.
  case names([String])
  /// A path or a label.
  case text(String)
}

/// A value as written by a user, not yet checked against a setting.
public enum SettingLiteral: Hashable, Sendable {
  /// A text: a quoted string in a file, or an argument on a command line.
  case text(String)
  /// A whole number.
  case whole(Int64)
  /// A number with a fraction.
  case fraction(Double)
  /// `true` or `false`.
  case boolean(Bool)
  /// A list in brackets.
  case list([SettingLiteral])
  /// A type that no setting takes, such as a date.
  case other(String)

  /// The value for error messages.
  public var description: String {
    switch self {
    case .text(let text): text
    case .whole(let number): "\(number)"
    case .fraction(let number): "\(number)"
    case .boolean(let flag): "\(flag)"
    case .list(let items): "[\(items.map(\.description).joined(separator: ", "))]"
    case .other(let text): text
    }
  }
}

/// A type that can be the value of a setting.
public protocol SettingConvertible: Sendable {
  /// From a value that the setting's type allows; nil for any other.
  init?(_ value: SettingValue)
  /// The value.
  var settingValue: SettingValue { get }
}

/// A type whose values are the setting's choices.
public protocol SettingChoice: SettingConvertible, CaseIterable, RawRepresentable<String> {}

extension SettingChoice {
  /// The case of this name.
  public init?(_ value: SettingValue) {
    guard case .choice(let name) = value, let found = Self.allCases.first(where: { $0.settingName == name }) else {
      return nil
    }
    self = found
  }

  /// The case's name in words with hyphens: `weighted-fair` for `weightedFair`.
  public var settingName: String { SettingSpelling.hyphenated(rawValue) }

  /// The choice.
  public var settingValue: SettingValue { .choice(settingName) }

  /// Every case's name, in order.
  static var choices: [String] { allCases.map(\.settingName) }
}

/// The spelling of names.
public enum SettingSpelling {
  /// `weightedFair` as `weighted-fair`; names without capitals are unchanged.
  public static func hyphenated(_ name: some StringProtocol) -> String {
    var result = ""
    for character in name {
      if character.isUppercase, !result.isEmpty { result += "-" }
      result += character.lowercased()
    }
    return result
  }
}

extension Int64: SettingConvertible {
  /// From a whole number.
  public init?(_ value: SettingValue) {
    guard case .whole(let number) = value else { return nil }
    self = number
  }

  /// The number.
  public var settingValue: SettingValue { .whole(self) }
}

extension Int: SettingConvertible {
  /// From a whole number.
  public init?(_ value: SettingValue) {
    guard case .whole(let number) = value, let exact = Int(exactly: number) else { return nil }
    self = exact
  }

  /// The number.
  public var settingValue: SettingValue { .whole(Int64(self)) }
}

extension UInt32: SettingConvertible {
  /// From a whole number.
  public init?(_ value: SettingValue) {
    guard case .whole(let number) = value, let exact = UInt32(exactly: number) else { return nil }
    self = exact
  }

  /// The number.
  public var settingValue: SettingValue { .whole(Int64(self)) }
}

extension String: SettingConvertible {
  /// From a text.
  public init?(_ value: SettingValue) {
    guard case .text(let text) = value else { return nil }
    self = text
  }

  /// The text.
  public var settingValue: SettingValue { .text(self) }
}

extension Optional: SettingConvertible where Wrapped: SettingConvertible {
  /// From no value, or a value that the wrapped type takes.
  public init?(_ value: SettingValue) {
    if case .none = value {
      self = .none
      return
    }
    guard let wrapped = Wrapped(value) else { return nil }
    self = .some(wrapped)
  }

  /// No value for nil.
  public var settingValue: SettingValue {
    switch self {
    case .none: SettingValue.none
    case .some(let wrapped): wrapped.settingValue
    }
  }
}

extension [String]: SettingConvertible {
  /// From names.
  public init?(_ value: SettingValue) {
    switch value {
    case .names(let names): self = names
    case .none: self = []
    default: return nil
    }
  }

  /// The names; no value for an empty list.
  public var settingValue: SettingValue { isEmpty ? .none : .names(self) }
}
