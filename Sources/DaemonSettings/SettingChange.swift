/// What a change applies to.
public enum SettingTarget: Hashable, Sendable {
  /// All outputs, also those added later.
  case allOutputs
  /// One output.
  case output(String)
  /// Memory for buffers.
  case memory
  /// A VM, connected or not.
  case vm(String)
  /// The daemon's sockets.
  case sockets
  /// What clients may take.
  case clients

  /// The scope of its settings.
  public var scope: SettingScope {
    switch self {
    case .allOutputs, .output: .output
    case .memory: .memory
    case .vm: .vm
    case .sockets: .sockets
    case .clients: .clients
    }
  }

  /// The output's or VM's name; empty for all outputs and for what exists once.
  public var name: String {
    switch self {
    case .allOutputs, .memory, .sockets, .clients: ""
    case .output(let name), .vm(let name): name
    }
  }

  /// The target of this name in a scope; an empty name means all outputs.
  public init(_ scope: SettingScope, name: String) {
    switch scope {
    case .output: self = name.isEmpty ? .allOutputs : .output(name)
    case .memory: self = .memory
    case .vm: self = .vm(name)
    case .sockets: self = .sockets
    case .clients: self = .clients
    }
  }

  /// Its table in the configuration file.
  public var table: String {
    switch self {
    case .allOutputs: "[outputs]"
    case .output(let name): "[output.\(name)]"
    case .memory: "[memory]"
    case .vm(let name): "[vm.\(name)]"
    case .sockets: "[sockets]"
    case .clients: "[clients]"
    }
  }
}

/// A new value for one setting.
public struct SettingChange: Hashable, Sendable {
  /// What is changed.
  public var target: SettingTarget
  /// The setting's number.
  public var number: UInt32
  /// The new value.
  public var value: SettingValue
  /// The line of the configuration file; nil if it does not come from one.
  public var line: Int?

  /// A change whose value is known to match the setting's type.
  public init(_ target: SettingTarget, _ number: UInt32, _ value: SettingValue, line: Int? = nil) {
    self.target = target
    self.number = number
    self.value = value
    self.line = line
  }

  /// A change from a literal, which is checked.
  ///
  /// - Throws: if the target has no such setting, or the setting does not take the value.
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

  /// The setting's name; empty for an unknown number.
  public var name: String { SettingsTable.setting(number)?.name ?? "" }

  /// The change for logs: `[vm.web] weight = 200`.
  public var description: String {
    guard let setting = SettingsTable.setting(number) else { return "\(target.table) setting \(number)" }
    return "\(target.table) \(setting.name) = \(setting.type.text(value))"
  }
}
