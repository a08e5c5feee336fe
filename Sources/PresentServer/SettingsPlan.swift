import DaemonSettings

/// All settings as they will be once some changes are in force; nothing of it is in force yet.
struct SettingsPlan {
  let changes: [SettingChange]
  /// Of outputs that are added later.
  private(set) var allOutputs: OutputSettings
  /// Of every output, in the server's order.
  private(set) var outputs: [(name: String, settings: OutputSettings)]
  private(set) var memory: MemorySettings
  /// Of the VMs that are changed.
  private(set) var vms: [(name: String, settings: VMSettings)] = []

  /// Makes the changes on copies of the settings now in force.
  ///
  /// - Throws: where there is no such output, or a value does not fit its setting.
  init(
    _ changes: [SettingChange], allOutputs: OutputSettings, outputs: [(name: String, settings: OutputSettings)],
    memory: MemorySettings, settingsOfVM: (String) -> VMSettings
  ) throws(SettingsError) {
    self.changes = changes
    self.allOutputs = allOutputs
    self.outputs = outputs
    self.memory = memory
    for change in changes {
      switch change.target {
      case .allOutputs:
        try SettingsPlan.make(change, in: &self.allOutputs)
        for index in outputs.indices { try SettingsPlan.make(change, in: &self.outputs[index].settings) }
      case .output(let name):
        guard let index = outputs.firstIndex(where: { $0.name == name }) else {
          let names = outputs.map(\.name).joined(separator: ", ")
          throw SettingsError(change.line, "there is no output \(name); there are: \(names)")
        }
        try SettingsPlan.make(change, in: &self.outputs[index].settings)
      case .memory: try SettingsPlan.make(change, in: &self.memory)
      case .vm(let name):
        let index = vms.firstIndex { $0.name == name } ?? vms.count
        if index == vms.count { vms.append((name, settingsOfVM(name))) }
        try SettingsPlan.make(change, in: &vms[index].settings)
      }
    }
  }

  private static func make<Group: SettingGroup>(_ change: SettingChange, in group: inout Group) throws(SettingsError) {
    guard group.set(change.number, to: change.value) else {
      throw SettingsError(change.line, "\(change.target.table) does not take \(change.description)")
    }
  }

  /// The settings of an output once the plan is in force.
  func settings(ofOutput name: String) -> OutputSettings {
    outputs.first { $0.name == name }?.settings ?? allOutputs
  }

  /// The settings of a VM that the plan changes.
  func settings(ofVM name: String) -> VMSettings? { vms.first { $0.name == name }?.settings }

  /// The last change of one of these settings, or of any, that an output is meant by.
  func change(ofOutput name: String, _ settings: String...) -> SettingChange? {
    changes.last {
      ($0.target == .allOutputs || $0.target == .output(name)) && (settings.isEmpty || settings.contains($0.name))
    }
  }

  /// The last change of one of these settings of a VM.
  func change(ofVM name: String, _ settings: String...) -> SettingChange? {
    changes.last { $0.target == .vm(name) && settings.contains($0.name) }
  }

  /// Where the plan promises or caps a VM's rate, or else where it first names the VM.
  func lineOfRate(ofVM name: String) -> Int? {
    change(ofVM: name, "sla", "cap")?.line ?? changes.first { $0.target == .vm(name) }?.line
  }
}
