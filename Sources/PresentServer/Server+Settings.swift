import FrameScheduler
import LinuxIO
import PresentProtocol
import Scanout

extension Server {
  /// Puts settings in force, all or none: those of a configuration file or of a command. What they do not name stays.
  ///
  /// - Throws: the line that cannot be, and why; nothing has changed then.
  public func apply(_ text: String) throws(SettingsError) {
    let plan = try SettingsPlan(SettingsText(text), memory: memory.settings) { settings(ofVM: $0) }
    let layouts = try layouts(plan)
    try checkFocus(plan, layouts)
    try checkRevoke(plan, layouts)
    try checkRevokeLease(plan)
    try checkPromises(plan, layouts)
    try checkOutputs(plan)
    let limits = try memoryLimits(plan)

    memory.take(plan.memory, limits)
    let renewed = plan.vms.filter { $0.settings.outlastsGuest != settings(ofVM: $0.vm).outlastsGuest }
    for change in plan.vms { remember(change.settings, ofVM: change.vm) }
    for (presenter, layout) in layouts where layout != presenter.sharing.layout { setLayout(layout, presenter) }
    for presenter in presenters { plan.put(inForceOn: presenter) }
    for change in plan.outputs where change.output == nil {
      standing.removeAll { $0.key == change.key }
      standing.append(change)
    }
    configure(plan.vms)
    for session in sessions where session.hello?.kind == .vm {
      guard renewed.contains(where: { $0.vm == session.hello?.name }) else { continue }
      session.renewBuffers()
    }
    for change in plan.vms where change.outputsLine != nil { moveHeads(ofVM: change.vm) }
    if let focus = plan.focus, let tile = focusable(focus.vm) { tile.presenter.focus(tile) }
    if let revoke = plan.revoke { presenters.first { $0.name == revoke.output }?.revoke() }
    if let revoke = plan.revokeLease { presenters.first { $0.name == revoke.output }?.revokeLease() }
    changes.note(.settings)
  }

  /// Has an output that has just come be as all outputs were told to be.
  func settle(_ presenter: Presenter) {
    let plan = SettingsPlan(standing: standing, memory: memory.settings)
    if let change = standing.last(where: { $0.layout != nil }), let layout = change.layout {
      let mode = presenter.homeMode
      if let why = layout.objection(width: mode.width, height: mode.height) {
        log("\(presenter.name) keeps layout \(presenter.sharing.layout.name): \(why)")
      } else {
        presenter.setLayout(layout)
      }
    }
    plan.put(inForceOn: presenter)
  }

  /// The layout of every output once the plan is in force.
  private func layouts(_ plan: SettingsPlan) throws(SettingsError) -> [(Presenter, OutputLayout)] {
    var layouts = presenters.map { ($0, $0.sharing.layout) }
    for change in plan.outputs {
      if let name = change.output, !presenters.contains(where: { $0.name == name }) {
        let names = presenters.map(\.name).joined(separator: ", ")
        throw SettingsError(change.line, "there is no output \(name); there are: \(names)")
      }
      guard let layout = change.layout else { continue }
      for index in layouts.indices where change.output == nil || change.output == layouts[index].0.name {
        let mode = layouts[index].0.homeMode
        if let why = layout.objection(width: mode.width, height: mode.height) { throw SettingsError(change.line, why) }
        layouts[index].1 = layout
      }
    }
    return layouts
  }

  private func checkFocus(_ plan: SettingsPlan, _ layouts: [(Presenter, OutputLayout)]) throws(SettingsError) {
    guard let (line, vm) = plan.focus else { return }
    guard let tile = focusable(vm) else {
      throw SettingsError(line, "there is no VM \(vm) on an output; there are: \(vmNames)")
    }
    let layout = layouts.first { $0.0 === tile.presenter }?.1
    let isLeased = !tile.presenter.leasing.lessees.isEmpty
    guard isLeased || layout == .focus || plan.policy(of: tile.presenter) == .exclusive else {
      throw SettingsError(
        line, "\(tile.presenter.name) shows \(vm) beside others; focus needs its layout focus, or its policy exclusive")
    }
  }

  private func checkRevoke(_ plan: SettingsPlan, _ layouts: [(Presenter, OutputLayout)]) throws(SettingsError) {
    guard let (line, name) = plan.revoke else { return }
    guard let (presenter, layout) = layouts.first(where: { $0.0.name == name }) else {
      throw SettingsError(
        line, "there is no output \(name); there are: \(presenters.map(\.name).joined(separator: ", "))")
    }
    let isLeased = !presenter.leasing.lessees.isEmpty
    guard isLeased || layout == .focus || plan.policy(of: presenter) == .exclusive else {
      throw SettingsError(line, "nobody has \(name) to itself: its layout is not focus, its policy not exclusive")
    }
  }

  private func checkRevokeLease(_ plan: SettingsPlan) throws(SettingsError) {
    guard let (line, name) = plan.revokeLease else { return }
    guard let presenter = presenters.first(where: { $0.name == name }) else {
      throw SettingsError(
        line, "there is no output \(name); there are: \(presenters.map(\.name).joined(separator: ", "))")
    }
    guard presenter.leasing.current != nil else { throw SettingsError(line, "nobody has \(name) as a lease") }
  }

  private var vmNames: String {
    let names = presenters.flatMap { $0.tiles.map(\.head.vmName) }.joined(separator: ", ")
    return names.isEmpty ? "none" : names
  }

  func focusable(_ vm: String) -> Tile? {
    for presenter in presenters { for tile in presenter.tiles where tile.head.vmName == vm { return tile } }
    return nil
  }

  // MARK: - VMs

  private func configure(_ changes: [SettingsPlan.VMChange]) {
    for change in SettingsPlan.inOrder(changes) {
      for tile in presenters.flatMap(\.tiles) where tile.head.vmName == change.vm {
        do throws(SchedulerError) {
          try tile.presenter.configure(tile, change.settings)
        } catch {
          log("\(change.vm) on \(tile.presenter.name) keeps its old schedule: \(error)")
        }
      }
    }
  }

  // MARK: - Memory

  /// What every client may hold once the plan is in force.
  private func memoryLimits(_ plan: SettingsPlan) throws(SettingsError) -> [MemoryBroker.Limit] {
    let limits = sessions.filter { !$0.heads.isEmpty }.map { session in
      let name = session.hello?.name ?? ""
      let settings = plan.vms.first { $0.vm == name }?.settings ?? settings(ofVM: name)
      return MemoryBroker.Limit(
        account: session.account, byteCount: settings.memoryLimitBytes ?? plan.memory.limitBytes)
    }
    guard let least = memory.leastCapacity(plan.memory, limits) else { return limits }
    if let line = plan.memoryLine {
      throw SettingsError(
        line,
        "what the VMs hold and may still ask for cannot be promised out of so little; the least is \(least) bytes")
    }
    let change = plan.vms.last { $0.memoryLine != nil }
    guard let change, let session = sessions.first(where: { $0.hello?.name == change.vm && !$0.heads.isEmpty }) else {
      return limits
    }
    throw SettingsError(
      change.memoryLine ?? change.line,
      "so much cannot be promised to \(change.vm) beside what the others hold; the most is "
        + "\(memory.largestLimit(of: session.account)) bytes")
  }

  // MARK: - Layouts

  /// Everybody on the output starts a new generation: their buffers are of another kind.
  private func setLayout(_ layout: OutputLayout, _ presenter: Presenter) {
    let heads = presenter.tiles.map(\.head)
    for head in heads { head.leave() }
    presenter.setLayout(layout)
    log("\(presenter.name) has layout \(layout.name)")
    placement.place(heads)
    placement.willPlaceWaiting()
  }
}

extension OutputLayout {
  /// As settings and status name it.
  var name: String {
    switch self {
    case .single: "single"
    case .tile: "tile"
    case .grid(let columns, let rows): "tile \(columns)x\(rows)"
    case .places(let places):
      "tile "
        + places.map { "\($0.vm)=\($0.rect.x),\($0.rect.y),\($0.rect.width)x\($0.rect.height)" }.joined(separator: " ")
    case .focus: "focus"
    }
  }
}
