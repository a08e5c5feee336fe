public import DaemonSettings
import FrameScheduler
import LinuxIO
import PresentProtocol
import Scanout

extension Server {
  /// Applies settings of a configuration file or a command, all or none. Other settings are unchanged.
  ///
  /// - Throws: the refused change with the reason; nothing has changed then.
  public func change(_ changes: [SettingChange]) throws(SettingsError) {
    let plan = try SettingsPlan(
      changes, allOutputs: allOutputs, outputs: presenters.map { ($0.name, $0.settings) }, memory: memory.settings,
      limits: limits
    ) { settings(ofVM: $0) }
    try checkLayouts(plan)
    try checkPromises(plan)
    try checkOutputs(plan)
    try checkDescriptors(plan)
    let memoryLimits = try memoryLimits(plan)

    memory.take(plan.memory, memoryLimits)
    if plan.limits != limits { clients.take(plan.limits) }
    let renewed = plan.vms.filter { $0.settings.outlastsGuest != settings(ofVM: $0.name).outlastsGuest }
    let revised = plan.vms.filter { $0.settings.ofDevice != settings(ofVM: $0.name).ofDevice }.map(\.name)
    for change in plan.vms { remember(change.settings, ofVM: change.name) }
    endUsurpers(plan)
    for presenter in presenters {
      let layout = plan.settings(ofOutput: presenter.name).layout
      if layout != presenter.sharing.layout { setLayout(layout, presenter) }
    }
    for presenter in presenters {
      let setsPower = plan.change(ofOutput: presenter.name, "power") != nil
      presenter.apply(plan.settings(ofOutput: presenter.name), setsPower: setsPower)
    }
    allOutputs = plan.allOutputs
    configure(plan)
    for session in sessions where session.hello?.kind == .vm {
      guard renewed.contains(where: { $0.name == session.hello?.name }) else { continue }
      session.renewBuffers()
    }
    for session in sessions where revised.contains(session.name) { session.sendDeviceSettings() }
    for (name, _) in plan.vms where plan.change(ofVM: name, "outputs") != nil { moveHeads(ofVM: name) }
    self.changes.note(.settings)
  }

  /// Applies the settings for all outputs to an output that is added at run time.
  func settle(_ presenter: Presenter) {
    let mode = presenter.homeMode
    if let why = allOutputs.layout.objection(width: mode.width, height: mode.height) {
      log("\(presenter.name) keeps layout \(presenter.sharing.layout.text): \(why)")
    } else if allOutputs.layout != presenter.sharing.layout {
      presenter.setLayout(allOutputs.layout)
    }
    presenter.apply(allOutputs, setsPower: false)
  }

  private func checkLayouts(_ plan: SettingsPlan) throws(SettingsError) {
    for presenter in presenters {
      guard let change = plan.change(ofOutput: presenter.name, "layout") else { continue }
      let mode = presenter.homeMode
      if let why = plan.settings(ofOutput: presenter.name).layout.objection(width: mode.width, height: mode.height) {
        throw SettingsError(change.line, why)
      }
    }
  }

  private func checkDescriptors(_ plan: SettingsPlan) throws(SettingsError) {
    let most = clients.users.mostDescriptors
    guard let wanted = plan.limits.descriptors, wanted > most, let change = plan.change(of: .clients, "descriptors")
    else { return }
    throw SettingsError(
      change.line, "the daemon cannot open \(wanted) descriptors for clients; the maximum is \(most) (RLIMIT_NOFILE)")
  }

  // MARK: - Focus

  /// Shows a VM on the output that it shares with layout focus or policy exclusive; a lease of the output ends.
  ///
  /// - Throws: if the VM is not on an output, or if its output shows several VMs.
  public func focus(onVM vm: String) throws(SettingsError) {
    guard let view = focusable(vm) else {
      let names = presenters.flatMap { $0.views.map(\.surface.vmName) }.joined(separator: ", ")
      throw SettingsError("there is no VM \(vm) on an output; there are: \(names.isEmpty ? "none" : names)")
    }
    guard view.presenter.canBeRevoked else {
      throw SettingsError(
        "\(view.presenter.name) shows \(vm) beside others; set its layout to focus or its policy to exclusive")
    }
    view.presenter.focus(view)
  }

  /// Takes an output from the VM or lessee that holds it.
  ///
  /// - Throws: if there is no such output, or if it has no single holder.
  public func revoke(output name: String) throws(SettingsError) {
    let presenter = try presenter(name)
    guard presenter.canBeRevoked else {
      throw SettingsError("no VM holds \(name): its layout is not focus and its policy is not exclusive")
    }
    presenter.revoke()
  }

  /// Takes an output from its lessee.
  ///
  /// - Throws: if there is no such output, or if it is not leased.
  public func revokeLease(output name: String) throws(SettingsError) {
    let presenter = try presenter(name)
    guard presenter.leasing.current != nil else { throw SettingsError("\(name) is not leased") }
    presenter.revokeLease()
  }

  private func presenter(_ name: String) throws(SettingsError) -> Presenter {
    guard let presenter = presenters.first(where: { $0.name == name }) else {
      throw SettingsError(
        "there is no output \(name); there are: \(presenters.map(\.name).joined(separator: ", "))")
    }
    return presenter
  }

  func focusable(_ vm: String) -> SurfaceView? {
    for presenter in presenters { for view in presenter.views where view.surface.vmName == vm { return view } }
    return nil
  }

  // MARK: - VMs

  private func configure(_ plan: SettingsPlan) {
    for (name, settings) in plan.vmsInOrder {
      for view in presenters.flatMap(\.views) where view.surface.vmName == name {
        do throws(SchedulerError) {
          try view.presenter.configure(view, settings)
        } catch {
          log("\(name) on \(view.presenter.name) keeps its old schedule: \(error)")
        }
      }
    }
  }

  // MARK: - Memory

  /// Every client's memory limit under the plan.
  private func memoryLimits(_ plan: SettingsPlan) throws(SettingsError) -> [MemoryBroker.Limit] {
    let limits = sessions.filter { !$0.surfaces.isEmpty }.map { session in
      let name = session.hello?.name ?? ""
      let settings = plan.settings(ofVM: name) ?? settings(ofVM: name)
      return MemoryBroker.Limit(
        account: session.account, byteCount: settings.memoryLimitBytes ?? plan.memory.limitBytes)
    }
    guard let least = memory.leastCapacity(plan.memory, limits) else { return limits }
    if let change = plan.changes.first(where: { $0.target == .memory }) {
      throw SettingsError(
        change.line,
        "the capacity is too small for what the VMs hold and may still request; the minimum is \(least) bytes")
    }
    for (name, _) in plan.vms.reversed() {
      guard let change = plan.change(ofVM: name, "max-memory"),
        let session = sessions.first(where: { $0.hello?.name == name && !$0.surfaces.isEmpty })
      else { continue }
      throw SettingsError(
        change.line,
        "the limit is too large for \(name) beside the memory of the others; the maximum is "
          + "\(memory.largestLimit(of: session.account)) bytes")
    }
    return limits
  }

  // MARK: - Layouts

  /// Changes a layout. All surfaces on the output start a new generation, because their buffers have another kind.
  private func setLayout(_ layout: OutputLayout, _ presenter: Presenter) {
    let surfaces = presenter.views.map(\.surface)
    for surface in surfaces { surface.leave() }
    presenter.setLayout(layout)
    log("\(presenter.name) has layout \(layout.name)")
    placement.place(surfaces)
    placement.willPlaceWaiting()
  }
}
