import ArgumentParser
import DaemonSettings

/// The arguments of a command that changes settings, parsed by the settings table: `--NAME VALUE` or `--NAME=VALUE` for
/// each setting of the command, and other arguments.
struct SettingWords {
  /// The given settings with their values as text.
  private(set) var values: [(setting: SettingDescription, text: String)] = []
  /// The other arguments, in order.
  private(set) var others: [String] = []

  /// - Parameter options: the settings that have an option.
  init(_ words: [String], options: [SettingDescription]) throws {
    var rest = words[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("--"), word != "--" else {
        others.append(word)
        continue
      }
      let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let setting = options.first(where: { $0.name == parts[0] }) else {
        let known = options.map { "--\($0.name)" }.joined(separator: ", ")
        throw ValidationError("Unknown option --\(parts[0]). The settings are: \(known).")
      }
      if parts.count == 2 {
        values.append((setting, String(parts[1])))
      } else if let value = rest.popFirst() {
        values.append((setting, value))
      } else {
        throw ValidationError("Missing value for --\(setting.name): \(setting.type.expected).")
      }
    }
  }

  /// The requested changes.
  func changes(of target: SettingTarget) throws -> [SettingChange] {
    try values.map { try SettingWords.change(target, $0.setting.name, $0.text) }
  }

  /// A change from a command line.
  static func change(_ target: SettingTarget, _ name: String, _ text: String) throws -> SettingChange {
    do throws(SettingsError) {
      return try SettingChange(target, name, .text(text))
    } catch {
      throw ValidationError(error.reason)
    }
  }
}

/// The parts of a help text that come from the table of settings.
enum SettingHelp {
  /// `[--max-hold <seconds>] [--watchdog <seconds>]`.
  static func usage(_ options: [SettingDescription]) -> String {
    options.map { "[--\($0.name) <\(placeholder($0))>]" }.joined(separator: " ")
  }

  /// One paragraph for each setting: its option, what it does, its values and its default.
  static func text(_ options: [SettingDescription]) -> String {
    let paragraphs = options.map { setting in
      "  --\(setting.name) <\(placeholder(setting))>\n      \(setting.help) \(values(setting))"
    }
    return "Settings:\n" + paragraphs.joined(separator: "\n")
  }

  /// `A whole number from 1 to 10000; 100 by default.`, or `One of on, off; off by default.`
  static func values(_ setting: SettingDescription) -> String {
    let expected = setting.type.expected
    let initial = setting.defaultText.isEmpty ? "" : "; \(setting.defaultText) by default"
    switch setting.type {
    // The words keep their case.
    case .choice, .layout, .leasePolicy: return "One of \(expected)\(initial)."
    case .whole, .bytes, .outputNames, .path, .mode, .user, .group, .label:
      return "\(expected.prefix(1).uppercased())\(expected.dropFirst())\(initial)."
    }
  }

  private static func placeholder(_ setting: SettingDescription) -> String {
    switch setting.type {
    case .whole(_, .seconds, _): "seconds"
    case .whole(_, .hertz, _): "hz"
    case .whole(_, .number, _): "n"
    case .bytes: "size"
    case .outputNames: "names"
    case .path: "path"
    case .mode: "mode"
    case .user: "user"
    case .group: "group"
    case .label: "label"
    case .choice, .layout, .leasePolicy: setting.name
    }
  }
}
