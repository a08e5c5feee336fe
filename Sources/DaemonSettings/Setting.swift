/// The subject of a group of settings.
public enum SettingScope: String, Hashable, Sendable, CaseIterable {
  /// All outputs, or one by its name.
  case output
  /// Memory for buffers.
  case memory
  /// A VM by its name.
  case vm
  /// The daemon's sockets.
  case sockets
  /// What clients may take.
  case clients
}

/// The command that changes a setting.
public enum SettingCommand: String, Hashable, Sendable, CaseIterable {
  /// `framepath layout`.
  case layout
  /// `framepath policy`.
  case policy
  /// `framepath exclusive`.
  case exclusive
  /// `framepath lease`.
  case lease
  /// `framepath power`.
  case power
  /// `framepath memory`.
  case memory
  /// `framepath vm set`.
  case vm = "vm set"
  /// `framepath limits`.
  case limits
  /// framepathd's own option; the tool has no command.
  case daemon = ""

  /// The command line without options: `framepath vm set`.
  public var words: String { self == .daemon ? "framepathd" : "framepath \(rawValue)" }
}

/// A setting as files, command lines, messages and documents see it, without the Swift type of its value.
public struct SettingDescription: Sendable {
  /// Its number in messages; never reused for another setting.
  public let number: UInt32
  /// Its key in files, and its option without `--`.
  public let name: String
  /// The scope that it belongs to.
  public let scope: SettingScope
  /// The values that it takes.
  public let type: SettingType
  /// Its default.
  public let defaultValue: SettingValue
  /// The command that changes it.
  public let command: SettingCommand
  /// Its effect, in a sentence or two.
  public let help: String

  /// The default as text.
  public var defaultText: String { type.text(defaultValue) }
}

/// One row of a table of settings: a property of `Group` with its name, type and help.
public struct Setting<Group: SettingGroup>: Sendable {
  /// Everything but the property.
  public let description: SettingDescription
  private let read: @Sendable (Group) -> SettingValue
  private let write: @Sendable (inout Group, SettingValue) -> Bool

  init<Value: SettingConvertible>(
    _ number: UInt32, _ name: String, _ property: any WritableKeyPath<Group, Value> & Sendable, _ type: SettingType,
    _ command: SettingCommand, _ help: String
  ) {
    read = { $0[keyPath: property].settingValue }
    write = { group, value in
      guard let converted = Value(value) else { return false }
      group[keyPath: property] = converted
      return true
    }
    description = SettingDescription(
      number: number, name: name, scope: Group.scope, type: type,
      defaultValue: Group.defaults[keyPath: property].settingValue, command: command, help: help)
  }

  /// The setting's value in a group.
  public func value(in group: Group) -> SettingValue { read(group) }
}

/// A type whose properties are the settings of one scope.
public protocol SettingGroup: Equatable, Sendable {
  /// The scope that they belong to.
  static var scope: SettingScope { get }
  /// The default values.
  static var defaults: Self { get }
  /// One row for each property.
  static var table: [Setting<Self>] { get }
}

extension SettingGroup {
  /// Sets the setting of this number.
  ///
  /// - Returns: whether the setting exists and takes this value.
  public mutating func set(_ number: UInt32, to value: SettingValue) -> Bool {
    guard let row = Self.table.first(where: { $0.description.number == number }), row.description.type.allows(value)
    else { return false }
    return row.set(value, in: &self)
  }
}

extension Setting {
  fileprivate func set(_ value: SettingValue, in group: inout Group) -> Bool { write(&group, value) }
}

extension OutputSettings: SettingGroup {
  /// Outputs.
  public static var scope: SettingScope { .output }
  /// The defaults.
  public static var defaults: OutputSettings { OutputSettings() }
}

extension MemorySettings: SettingGroup {
  /// Memory.
  public static var scope: SettingScope { .memory }
  /// The defaults.
  public static var defaults: MemorySettings { MemorySettings() }
}

extension VMSettings: SettingGroup {
  /// A VM.
  public static var scope: SettingScope { .vm }
  /// The defaults.
  public static var defaults: VMSettings { VMSettings() }
}

/// All settings of the daemon.
public enum SettingsTable {
  /// In the order of the tables.
  public static let all: [SettingDescription] =
    OutputSettings.table.map(\.description) + MemorySettings.table.map(\.description)
    + VMSettings.table.map(\.description) + SocketSettings.table.map(\.description)
    + ClientLimits.table.map(\.description)

  /// The settings of a scope.
  public static func settings(of scope: SettingScope) -> [SettingDescription] { all.filter { $0.scope == scope } }

  /// The settings that a command changes.
  public static func settings(changedBy command: SettingCommand) -> [SettingDescription] {
    all.filter { $0.command == command }
  }

  /// The setting of this name in a scope.
  public static func setting(_ name: String, _ scope: SettingScope) -> SettingDescription? {
    all.first { $0.scope == scope && $0.name == name }
  }

  /// The setting of this number.
  public static func setting(_ number: UInt32) -> SettingDescription? { all.first { $0.number == number } }
}
