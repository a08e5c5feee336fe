import FrameScheduler
import LinuxIO
import PresentProtocol
import Scanout

extension Server {
  /// Puts settings in force, all or none: those of a configuration file or of a command. What they do not name stays.
  ///
  /// - Throws: the line that cannot be, and why; nothing has changed then.
  public func apply(_ text: String) throws(SettingsError) {
    let plan = try SettingsPlan(SettingsText(text)) { settings(ofVM: $0) }
    let layouts = try layouts(plan)
    try checkFocus(plan, layouts)
    try check(plan.vms)

    if let capacity = plan.capacityBytes { memory.limitBytes = capacity }
    for change in plan.vms { take(change.settings, ofVM: change.vm) }
    for (presenter, layout) in layouts where layout != presenter.layout { setLayout(layout, presenter) }
    for change in plan.outputs {
      guard let policy = change.policy else { continue }
      for presenter in presenters where change.output == nil || change.output == presenter.name {
        presenter.setPolicy(policy)
      }
    }
    if let focus = plan.focus, let tile = focusable(focus.vm) { tile.presenter.focus(tile) }
  }

  /// The layout of every output once the plan is in force.
  private func layouts(_ plan: SettingsPlan) throws(SettingsError) -> [(Presenter, OutputLayout)] {
    var layouts = presenters.map { ($0, $0.layout) }
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
    let policy = plan.outputs.last { $0.policy != nil && ($0.output ?? tile.presenter.name) == tile.presenter.name }
    guard layout == .focus || (policy?.policy ?? tile.presenter.policy) == .exclusive else {
      throw SettingsError(
        line, "\(tile.presenter.name) shows \(vm) beside others; focus needs its layout focus, or its policy exclusive")
    }
  }

  private var vmNames: String {
    let names = presenters.flatMap { $0.tiles.map(\.head.vmName) }.joined(separator: ", ")
    return names.isEmpty ? "none" : names
  }

  private func focusable(_ vm: String) -> Tile? {
    for presenter in presenters { for tile in presenter.tiles where tile.head.vmName == vm { return tile } }
    return nil
  }

  // MARK: - VMs

  /// Tries all VMs' settings together on copies of the schedulers that they are on.
  private func check(_ changes: [SettingsPlan.VMChange]) throws(SettingsError) {
    for presenter in presenters {
      var trial = presenter.scheduler
      for change in changes {
        for tile in presenter.tiles where tile.head.vmName == change.vm {
          do throws(SchedulerError) {
            try trial.configureVM(tile.id, presenter.configuration(tile, change.settings), at: presenter.now)
          } catch {
            throw refusal(change, error)
          }
        }
      }
    }
    for change in changes where focusable(change.vm) == nil { try checkAbsent(change) }
  }

  /// A VM that is not here must fit on some output, if it were alone there.
  private func checkAbsent(_ change: SettingsPlan.VMChange) throws(SettingsError) {
    var refused: SettingsError?
    for presenter in presenters {
      do throws(SchedulerError) {
        var trial = Presenter.makeScheduler(presenter.homeMode)
        let configuration = change.settings.configuration(vm: change.vm, frameNanoseconds: 0)
        try trial.addVM(VMID(0), configuration, at: presenter.now)
        return
      } catch {
        refused = refusal(change, error)
      }
    }
    if let refused { throw refused }
  }

  private func refusal(_ change: SettingsPlan.VMChange, _ error: SchedulerError) -> SettingsError {
    guard case .infeasible(let largest) = error else { return SettingsError(change.line, "\(change.vm): \(error)") }
    return SettingsError(
      change.line,
      "\(change.settings.promisedHertz ?? 0) frames a second cannot be promised to \(change.vm) beside the others; "
        + "the most is \(largest / 1000)")
  }

  private func take(_ settings: VMSettings, ofVM name: String) {
    remember(settings, ofVM: name)
    for session in sessions where session.hello?.name == name {
      session.account.limitBytes = settings.memoryLimitBytes ?? options.memoryLimitBytes
      for head in session.heads {
        guard let tile = head.tile else { continue }
        do throws(SchedulerError) {
          try tile.presenter.configure(tile, settings)
        } catch {
          // Two VMs' promises of one text can be feasible alone and not together.
          log("\(name) on \(tile.presenter.name) keeps its old schedule: \(error)")
        }
      }
    }
  }

  // MARK: - Layouts

  /// Everybody on the output starts a new generation: their buffers are of another kind.
  private func setLayout(_ layout: OutputLayout, _ presenter: Presenter) {
    let heads = presenter.tiles.map(\.head)
    for head in heads { head.leave() }
    presenter.setLayout(layout)
    log("\(presenter.name) has layout \(layout.name)")
    place(heads.filter { !$0.session.isClosed })
    placeWaiting()
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
