import LinuxIO
import PresentProtocol
import Scanout

/// The type and range of a setting's value.
public enum SettingType: Equatable, Sendable {
  /// The unit of a whole number.
  public enum Unit: String, Sendable {
    /// Seconds.
    case seconds
    /// Frames per second.
    case hertz
    /// A plain number.
    case number
  }

  /// One of these words.
  case choice([String])
  /// A whole number; `none`, if any, is the word for "no number", which is also written as 0.
  case whole(ClosedRange<Int64>, Unit, none: String?)
  /// A number of bytes such as `256M`; `none` as above.
  case bytes(ClosedRange<Int>, none: String?)
  /// How VMs share an output.
  case layout
  /// The users that may lease an output.
  case leasePolicy
  /// Names of outputs, in order.
  case outputNames
  /// A socket's path; `none` is the word for the default.
  case path(none: String)
  /// The permissions of a file, in octal digits.
  case mode
  /// A user's number, also written as the user's name; `none` is the word for no user.
  case user(none: String)
  /// A group's number, also written as the group's name; `none` as above.
  case group(none: String)
  /// A security label; `none` as above.
  case label(none: String)

  /// Checks a literal and converts it.
  ///
  /// - Parameter name: the setting's name, for the error.
  /// - Throws: an error that names the fault and the valid values.
  public func value(of literal: SettingLiteral, name: String) throws(SettingsError) -> SettingValue {
    if case .other(let what) = literal { throw SettingsError("\(name) is \(expected), not \(what)") }
    if let none, isNone(literal, none) { return .none }
    switch self {
    case .choice(let choices):
      let word = SettingType.word(literal)
      guard let word, let choice = choices.first(where: { $0 == word || $0 == SettingSpelling.hyphenated(word) }) else {
        throw SettingsError("there is no \(name) \(literal.description); there are: \(choices.joined(separator: ", "))")
      }
      return .choice(choice)
    case .whole(let range, let unit, _):
      guard let number = SettingType.whole(literal, unit), range.contains(number) else { throw refusal(literal, name) }
      return .whole(number)
    case .bytes(let range, _):
      guard let count = SettingType.bytes(literal), range.contains(count) else { throw refusal(literal, name) }
      return .whole(Int64(count))
    case .layout: return .layout(try OutputLayout(SettingType.words(literal, name, self)))
    case .leasePolicy:
      return .leasePolicy(try LeasePolicy(SettingType.words(literal, name, self).joined(separator: ",")))
    case .outputNames:
      let names = try SettingType.words(literal, name, self).flatMap { word in
        word.split(separator: ",").map { String($0.trimmingSpaces) }
      }
      return names.isEmpty ? .none : .names(names)
    case .path, .label:
      guard case .text(let text) = literal, allows(.text(text)) else { throw refusal(literal, name) }
      return .text(text)
    case .mode:
      guard let mode = SettingType.mode(literal) else { throw refusal(literal, name) }
      return .whole(mode)
    case .user: return .whole(try SettingType.id(literal, "user", HostProcess.userID))
    case .group: return .whole(try SettingType.id(literal, "group", HostProcess.groupID))
    }
  }

  /// The word for "no value"; nil if a value is required.
  public var none: String? {
    switch self {
    case .whole(_, _, let none), .bytes(_, let none): none
    case .path(let none), .user(let none), .group(let none), .label(let none): none
    case .choice, .layout, .leasePolicy, .outputNames, .mode: nil
    }
  }

  /// Whether this type allows a value from a message.
  public func allows(_ value: SettingValue) -> Bool {
    switch (self, value) {
    case (.whole(_, _, let none), .none), (.bytes(_, let none), .none): none != nil
    case (.outputNames, .none), (.path, .none), (.user, .none), (.group, .none), (.label, .none): true
    case (.mode, .whole(let number)): (0...0o777).contains(number)
    case (.user, .whole(let number)), (.group, .whole(let number)): (0..<Int64(UInt32.max)).contains(number)
    case (.path, .text(let text)): SettingType.isText(text, upTo: SettingType.pathByteCount)
    case (.label, .text(let text)): SettingType.isText(text, upTo: PresentLimits.settingTextByteCount)
    case (.whole(let range, _, _), .whole(let number)): range.contains(number)
    case (.bytes(let range, _), .whole(let number)): Int(exactly: number).map(range.contains) ?? false
    case (.choice(let choices), .choice(let name)): choices.contains(name)
    case (.layout, .layout), (.leasePolicy, .leasePolicy), (.outputNames, .names): true
    default: false
    }
  }

  /// The valid values, for an error message or a table: `a whole number from 1 to 10000`.
  public var expected: String {
    switch self {
    case .choice(let choices): choices.joined(separator: ", ")
    case .whole(let range, let unit, let none):
      "a whole number\(unit == .number ? "" : " of \(unit.rawValue)") from \(range.lowerBound) to "
        + "\(range.upperBound)\(none.map { ", or 0 for \($0)" } ?? "")"
    case .bytes(let range, let none):
      "a size such as 256M, \(ByteCount(bytes: range.lowerBound)) to \(ByteCount(bytes: range.upperBound))"
        + "\(none.map { ", or 0 for \($0)" } ?? "")"
    case .layout: "single, tile, tile COLUMNSxROWS, tile VM=X,Y,WIDTHxHEIGHT …, or focus"
    case .leasePolicy: "off, own, or users and groups such as \"uid 1000, gid 44\""
    case .outputNames: "names of outputs, such as \"HDMI-A-1, DP-1\""
    case .path(let none): "a path of at most \(SettingType.pathByteCount) bytes, or \(none)"
    case .mode: "an octal mode such as \"660\""
    case .user(let none): "a user's name or number, or \(none)"
    case .group(let none): "a group's name or number, or \(none)"
    case .label(let none): "a label of at most \(PresentLimits.settingTextByteCount) bytes, or \(none)"
    }
  }

  /// The value as text.
  public func text(_ value: SettingValue) -> String {
    switch value {
    case .none: none ?? ""
    case .whole(let number):
      switch self {
      case .bytes: ByteCount(bytes: Int(clamping: number)).description
      case .mode: String(number, radix: 8)
      default: "\(number)"
      }
    case .choice(let name): name
    case .layout(let layout): layout.text
    case .leasePolicy(let policy): policy.text
    case .names(let names): names.joined(separator: ", ")
    case .text(let text): text
    }
  }

  private func isNone(_ literal: SettingLiteral, _ none: String) -> Bool {
    switch self {
    // 0 is a user, too.
    case .path, .user, .group, .label: return literal == .text(none)
    default: break
    }
    return switch literal {
    case .whole(0), .text("0"), .boolean(false): true
    case .text(let text): text == none
    default: false
    }
  }

  private func refusal(_ literal: SettingLiteral, _ name: String) -> SettingsError {
    SettingsError("\(name) is \(expected), not \(literal.description)")
  }

  /// A text, or `on` and `off` for a boolean. Spellings such as `weightedFair` are still accepted.
  private static func word(_ literal: SettingLiteral) -> String? {
    switch literal {
    case .text(let text): text
    case .boolean(let flag): flag ? "on" : "off"
    default: nil
    }
  }

  private static func whole(_ literal: SettingLiteral, _ unit: Unit) -> Int64? {
    switch literal {
    case .whole(let number): return number
    case .text(let text):
      if unit == .hertz, let rate = RefreshRate(text) {
        return rate.millihertz % 1000 == 0 ? Int64(rate.millihertz / 1000) : nil
      }
      let digits = unit == .seconds && text.hasSuffix("s") ? text.dropLast() : text[...]
      return Int64(digits)
    default: return nil
    }
  }

  /// The longest path of a socket (unix(7)).
  private static let pathByteCount = 107

  private static func isText(_ text: String, upTo byteCount: Int) -> Bool {
    (1...byteCount).contains(text.utf8.count)
      && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
  }

  /// A number of a file was written in octal, as 0o660: 660 would be more than a mode can be.
  private static func mode(_ literal: SettingLiteral) -> Int64? {
    let number: Int64? =
      switch literal {
      case .whole(let number): number
      case .text(let text): Int64(text.hasPrefix("0o") ? String(text.dropFirst(2)) : text, radix: 8)
      default: nil
      }
    guard let number, (0...0o777).contains(number) else { return nil }
    return number
  }

  private static func id(
    _ literal: SettingLiteral, _ kind: String, _ number: (String) -> UInt32?
  ) throws(SettingsError) -> Int64 {
    guard let id = number(literal.description) else {
      throw SettingsError("there is no \(kind) \(literal.description) on this host")
    }
    return Int64(id)
  }

  private static func bytes(_ literal: SettingLiteral) -> Int? {
    switch literal {
    case .whole(let number): Int(exactly: number)
    case .text(let text): ByteCount(text)?.bytes
    default: nil
    }
  }

  /// A text, or a list of texts.
  private static func words(
    _ literal: SettingLiteral, _ name: String, _ type: SettingType
  ) throws(SettingsError) -> [String] {
    switch literal {
    case .text(let text): return [text]
    case .list(let items):
      var words: [String] = []
      for item in items {
        guard case .text(let word) = item else { throw type.refusal(item, name) }
        words.append(word)
      }
      return words
    default: throw type.refusal(literal, name)
    }
  }
}

extension StringProtocol {
  /// Without spaces at its ends.
  var trimmingSpaces: SubSequence {
    var rest = self[...]
    while rest.first == " " { rest = rest.dropFirst() }
    while rest.last == " " { rest = rest.dropLast() }
    return rest
  }
}
