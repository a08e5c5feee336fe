/// Which output or VM a change is for.
public enum SettingTarget: Hashable, Sendable {
  /// All outputs, those that are added later too.
  case allOutputs
  /// One output.
  case output(String)
  /// Memory for buffers.
  case memory
  /// A VM, connected or not.
  case vm(String)

  /// The kind of settings that it has.
  public var scope: SettingScope {
    switch self {
    case .allOutputs, .output: .output
    case .memory: .memory
    case .vm: .vm
    }
  }

  /// The output's or VM's name; empty where none is meant.
  public var name: String {
    switch self {
    case .allOutputs, .memory: ""
    case .output(let name), .vm(let name): name
    }
  }

  /// A scope's target of that name; an empty one means all outputs, or the memory.
  public init(_ scope: SettingScope, name: String) {
    switch scope {
    case .output: self = name.isEmpty ? .allOutputs : .output(name)
    case .memory: self = .memory
    case .vm: self = .vm(name)
    }
  }

  /// The table of the configuration file that it stands in.
  public var table: String {
    switch self {
    case .allOutputs: "[outputs]"
    case .output(let name): "[output.\(name)]"
    case .memory: "[memory]"
    case .vm(let name): "[vm.\(name)]"
    }
  }
}

/// A new value for one setting of one output, VM or the memory.
public struct SettingChange: Hashable, Sendable {
  /// Whose setting.
  public var target: SettingTarget
  /// The setting's number.
  public var number: UInt32
  /// The new value.
  public var value: SettingValue
  /// The line of the configuration file that it comes from.
  public var line: Int?

  /// A change that is known to be of the setting's type.
  public init(_ target: SettingTarget, _ number: UInt32, _ value: SettingValue, line: Int? = nil) {
    self.target = target
    self.number = number
    self.value = value
    self.line = line
  }

  /// A change as somebody has written it.
  ///
  /// - Throws: where the target has no such setting, or the setting no such value.
  public init(
    _ target: SettingTarget, _ name: String, _ literal: SettingLiteral, line: Int? = nil
  ) throws(SettingsError) {
    guard let setting = SettingsTable.setting(name, target.scope) else {
      let known = SettingsTable.settings(of: target.scope).map(\.name).joined(separator: ", ")
      throw SettingsError(line, "\(target.table) has no setting \(name); there are: \(known)")
    }
    do throws(SettingsError) {
      self.init(target, setting.number, try setting.type.value(of: literal, name: name), line: line)
    } catch {
      throw SettingsError(line, error.reason)
    }
  }

  /// The setting's name; empty where there is no setting of that number.
  public var name: String { SettingsTable.setting(number)?.name ?? "" }

  /// The change for a log: `[vm.web] weight = 200`.
  public var description: String {
    guard let setting = SettingsTable.setting(number) else { return "\(target.table) setting \(number)" }
    return "\(target.table) \(setting.name) = \(setting.type.text(value))"
  }
}
