import DaemonSettings

/// The settings that would result from a set of changes. Nothing is applied yet.
struct SettingsPlan {
  let changes: [SettingChange]
  /// Settings of outputs added later.
  private(set) var allOutputs: OutputSettings
  /// Settings of every output, in the server's order.
  private(set) var outputs: [(name: String, settings: OutputSettings)]
  private(set) var memory: MemorySettings
  private(set) var limits: ClientLimits
  /// Settings of the changed VMs.
  private(set) var vms: [(name: String, settings: VMSettings)] = []

  /// Applies the changes to copies of the current settings.
  ///
  /// - Throws: `SettingsError` for an unknown output or a value that is invalid for its setting.
  init(
    _ changes: [SettingChange], allOutputs: OutputSettings, outputs: [(name: String, settings: OutputSettings)],
    memory: MemorySettings, limits: ClientLimits, settingsOfVM: (String) -> VMSettings
  ) throws(SettingsError) {
    self.changes = changes
    self.allOutputs = allOutputs
    self.outputs = outputs
    self.memory = memory
    self.limits = limits
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
      case .clients: try SettingsPlan.make(change, in: &self.limits)
      case .sockets:
        throw SettingsError(change.line, "\(change.name) is set by framepathd's options and its file only")
      case .vm(let name):
        let index = vms.firstIndex { $0.name == name } ?? vms.count
        if index == vms.count { vms.append((name, settingsOfVM(name))) }
        try SettingsPlan.make(change, in: &vms[index].settings)
      }
    }
  }

  private static func make<Group: SettingGroup>(_ change: SettingChange, in group: inout Group) throws(SettingsError) {
    guard group.set(change.number, to: change.value) else {
      throw SettingsError(change.line, "\(change.target.table) does not accept \(change.description)")
    }
  }

  /// An output's settings under the plan.
  func settings(ofOutput name: String) -> OutputSettings {
    outputs.first { $0.name == name }?.settings ?? allOutputs
  }

  /// A VM's settings under the plan; nil if the plan does not change them.
  func settings(ofVM name: String) -> VMSettings? { vms.first { $0.name == name }?.settings }

  /// The last change to one of these settings, or to any setting, that applies to an output.
  func change(ofOutput name: String, _ settings: String...) -> SettingChange? {
    changes.last {
      ($0.target == .allOutputs || $0.target == .output(name)) && (settings.isEmpty || settings.contains($0.name))
    }
  }

  /// The last change to one of these settings of what exists once.
  func change(of target: SettingTarget, _ settings: String...) -> SettingChange? {
    changes.last { $0.target == target && settings.contains($0.name) }
  }

  /// The last change to one of these settings of a VM.
  func change(ofVM name: String, _ settings: String...) -> SettingChange? {
    changes.last { $0.target == .vm(name) && settings.contains($0.name) }
  }

  /// The line that sets a VM's promised rate or cap; otherwise the line that first names the VM.
  func lineOfRate(ofVM name: String) -> Int? {
    change(ofVM: name, "sla", "cap")?.line ?? changes.first { $0.target == .vm(name) }?.line
  }
}
