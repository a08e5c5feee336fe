import FrameScheduler
import Scanout

extension Server {
  /// Tries what every VM is promised on copies of the schedulers, as outputs will be shared once the plan is in force.
  func checkPromises(_ plan: SettingsPlan, _ layouts: [(Presenter, OutputLayout)]) throws(SettingsError) {
    for (presenter, layout) in layouts {
      let policy = plan.policy(of: presenter)
      if layout == presenter.sharing.layout && policy == presenter.sharing.requestedPolicy {
        try check(plan, on: presenter)
      } else {
        try check(plan, on: presenter, as: layout, policy)
      }
    }
    for change in plan.vms where focusable(change.vm) == nil { try checkAbsent(change) }
  }

  /// The output stays as it is: only what the plan names changes.
  private func check(_ plan: SettingsPlan, on presenter: Presenter) throws(SettingsError) {
    var trial = presenter.scheduler
    for change in SettingsPlan.inOrder(plan.vms) {
      for tile in presenter.tiles where tile.head.vmName == change.vm {
        do throws(SchedulerError) {
          try trial.configureVM(tile.id, presenter.configuration(tile, change.settings), at: presenter.now)
        } catch {
          throw refusal(change.vm, change.settings, change.line, error)
        }
      }
    }
  }

  /// Everybody on the output gets another place, and so frames of another size.
  private func check(
    _ plan: SettingsPlan, on presenter: Presenter, as layout: OutputLayout, _ policy: SchedulingPolicy
  ) throws(SettingsError) {
    var trial = Presenter.makeScheduler(presenter.homeMode)
    let isTiled = OutputSharing(layout: layout, policy: policy).isTiled
    let vms = layout.vms(of: presenter.tiles.map(\.head.vmName))
    for (index, vm) in vms.enumerated() {
      let change = plan.vms.first { $0.vm == vm }
      let settings = change?.settings ?? settings(ofVM: vm)
      let rect = layout.rect(
        of: index, count: vms.count, vm: vm, width: presenter.homeMode.width, height: presenter.homeMode.height)
      do throws(SchedulerError) {
        try trial.addVM(
          VMID(UInt32(index)),
          settings.configuration(vm: vm, frameNanoseconds: isTiled ? Presenter.frameNanoseconds(rect) : 0),
          at: presenter.now)
      } catch {
        throw refusal(vm, settings, change?.line ?? plan.line(ofOutput: presenter.name), error)
      }
    }
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
        refused = refusal(change.vm, change.settings, change.line, error)
      }
    }
    if let refused { throw refused }
  }

  private func refusal(
    _ vm: String, _ settings: VMSettings, _ line: Int, _ error: SchedulerError
  ) -> SettingsError {
    guard case .infeasible(let largest) = error else { return SettingsError(line, "\(vm): \(error)") }
    if let promised = settings.promisedHertz, let cap = settings.cappedHertz, cap < promised {
      return SettingsError(
        line,
        "\(promised) frames a second cannot be promised to \(vm) with a cap of \(cap); the most is \(largest / 1000)")
    }
    return SettingsError(
      line,
      "\(settings.promisedHertz ?? 0) frames a second cannot be promised to \(vm) beside the others; "
        + "the most is \(largest / 1000)")
  }
}

extension SettingsPlan {
  /// Does what the plan says of an output, but for its layout.
  func put(inForceOn presenter: Presenter) {
    let policy = policy(of: presenter)
    if policy != presenter.sharing.requestedPolicy { presenter.setPolicy(policy) }
    let limits = limits(of: presenter)
    if limits != presenter.limits { presenter.setLimits(limits) }
    let lease = leasePolicy(of: presenter)
    if lease != presenter.leasing.policy { presenter.setLeasePolicy(lease) }
    let rule = variableRefresh(of: presenter)
    if rule != presenter.variableRefresh { presenter.setVariableRefresh(rule) }
    let power = power(of: presenter)
    if power.limits != presenter.power.limits { presenter.setIdleLimits(power.limits) }
    if let command = power.command { presenter.setPower(command) }
  }

  /// The policy of an output once the plan is in force.
  func policy(of presenter: Presenter) -> SchedulingPolicy {
    outputs.last { $0.policy != nil && ($0.output ?? presenter.name) == presenter.name }?.policy
      ?? presenter.sharing.requestedPolicy
  }

  /// How long a VM may have an output to itself once the plan is in force.
  func limits(of presenter: Presenter) -> ExclusiveLimits {
    var limits = presenter.limits
    for change in outputs where (change.output ?? presenter.name) == presenter.name { limits.take(change.limits) }
    return limits
  }

  /// Who may lease an output once the plan is in force.
  func leasePolicy(of presenter: Presenter) -> LeasePolicy {
    outputs.last { $0.lease != nil && ($0.output ?? presenter.name) == presenter.name }?.lease
      ?? presenter.leasing.policy
  }

  /// After what time an output goes dark once the plan is in force, and whether a command turns it on or off.
  func power(of presenter: Presenter) -> (limits: IdleLimits, command: OutputPower?) {
    var limits = presenter.power.limits
    var command: OutputPower?
    for change in outputs where (change.output ?? presenter.name) == presenter.name {
      limits.take(change.power)
      command = change.power.power ?? command
    }
    return (limits, command)
  }

  /// When an output's rate follows its frames once the plan is in force.
  func variableRefresh(of presenter: Presenter) -> VariableRefresh {
    let change = outputs.last { $0.variableRefresh != nil && ($0.output ?? presenter.name) == presenter.name }
    return change?.variableRefresh ?? presenter.variableRefresh
  }

  /// Changes in such an order that promises which end make room for those that begin.
  static func inOrder(_ changes: [VMChange]) -> [VMChange] {
    var ended = changes
    for index in ended.indices { ended[index].settings.promisedHertz = nil }
    return ended + changes
  }

  /// The last line about an output.
  func line(ofOutput name: String) -> Int { outputs.last { ($0.output ?? name) == name }?.line ?? 0 }
}

extension OutputLayout {
  /// Which of these scanouts' VMs stay, in their order.
  fileprivate func vms(of names: [String]) -> [String] {
    guard case .places(let places) = self else { return Array(names.prefix(capacity)) }
    var kept: [String] = []
    for name in names where !kept.contains(name) && places.contains(where: { $0.vm == name }) { kept.append(name) }
    return kept
  }
}
