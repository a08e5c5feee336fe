import DaemonSettings
import FrameScheduler
import Scanout

extension Server {
  /// Checks the promises of all VMs on copies of the schedulers, with outputs shared as in the plan.
  func checkPromises(_ plan: SettingsPlan) throws(SettingsError) {
    for presenter in presenters {
      let settings = plan.settings(ofOutput: presenter.name)
      if settings.layout == presenter.sharing.layout && settings.policy == presenter.sharing.requestedPolicy {
        try check(plan, on: presenter)
      } else {
        try check(plan, on: presenter, as: settings)
      }
    }
    for (name, settings) in plan.vms where focusable(name) == nil { try checkAbsent(name, settings, plan) }
  }

  /// Checks an output whose sharing does not change; only the VMs in the plan change.
  private func check(_ plan: SettingsPlan, on presenter: Presenter) throws(SettingsError) {
    var trial = presenter.schedule.state
    for (name, settings) in plan.vmsInOrder {
      for view in presenter.views where view.surface.vmName == name {
        do throws(SchedulerError) {
          try trial.configureVM(view.id, presenter.configuration(view, settings), at: presenter.now)
        } catch {
          throw refusal(name, settings, plan.lineOfRate(ofVM: name), error)
        }
      }
    }
  }

  /// Checks an output whose layout changes, so that all its VMs get other places and frame sizes.
  private func check(
    _ plan: SettingsPlan, on presenter: Presenter, as wanted: OutputSettings
  ) throws(SettingsError) {
    var trial = OutputSchedule.makeScheduler(for: presenter.homeMode)
    let isTiled = OutputSharing(layout: wanted.layout, policy: wanted.policy).isTiled
    let vms = wanted.layout.vms(of: presenter.views.map(\.surface.vmName))
    for (index, vm) in vms.enumerated() {
      let settings = plan.settings(ofVM: vm) ?? settings(ofVM: vm)
      let rect = wanted.layout.rect(
        of: index, count: vms.count, vm: vm, width: presenter.homeMode.width, height: presenter.homeMode.height)
      do throws(SchedulerError) {
        try trial.addVM(
          VMID(UInt32(index)),
          settings.configuration(vm: vm, copy: isTiled ? presenter.copy(of: rect) : nil),
          at: presenter.now)
      } catch {
        let line = plan.lineOfRate(ofVM: vm) ?? plan.change(ofOutput: presenter.name)?.line
        throw refusal(vm, settings, line, error)
      }
    }
  }

  /// Checks that the promise of a VM that is not connected fits on some output without other VMs.
  private func checkAbsent(_ name: String, _ settings: VMSettings, _ plan: SettingsPlan) throws(SettingsError) {
    var refused: SettingsError?
    for presenter in presenters {
      do throws(SchedulerError) {
        var trial = OutputSchedule.makeScheduler(for: presenter.homeMode)
        let configuration = settings.configuration(vm: name, copy: nil)
        try trial.addVM(VMID(0), configuration, at: presenter.now)
        return
      } catch {
        refused = refusal(name, settings, plan.lineOfRate(ofVM: name), error)
      }
    }
    if let refused { throw refused }
  }

  private func refusal(
    _ vm: String, _ settings: VMSettings, _ line: Int?, _ error: SchedulerError
  ) -> SettingsError {
    guard case .infeasible(let largest) = error else { return SettingsError(line, "\(vm): \(error)") }
    if let promised = settings.promisedHertz, let cap = settings.cappedHertz, cap < promised {
      return SettingsError(
        line,
        "cannot promise \(promised) frames a second to \(vm) with a cap of \(cap); the maximum is \(largest / 1000)")
    }
    return SettingsError(
      line,
      "cannot promise \(settings.promisedHertz ?? 0) frames a second to \(vm) beside the others; "
        + "the maximum is \(largest / 1000)")
  }
}

extension SettingsPlan {
  /// The VMs' settings, ordered so that removed promises make room for new ones.
  var vmsInOrder: [(name: String, settings: VMSettings)] {
    var ended = vms
    for index in ended.indices { ended[index].settings.promisedHertz = nil }
    return ended + vms
  }
}

extension OutputLayout {
  /// The VMs of these scanouts that remain, in order.
  fileprivate func vms(of names: [String]) -> [String] {
    guard case .places(let places) = self else { return Array(names.prefix(capacity)) }
    var kept: [String] = []
    for name in names where !kept.contains(name) && places.contains(where: { $0.vm == name }) { kept.append(name) }
    return kept
  }
}
