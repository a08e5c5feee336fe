import DaemonSettings

extension Presenter {
  /// The current settings.
  var settings: OutputSettings {
    var settings = OutputSettings()
    settings.layout = sharing.layout
    settings.policy = sharing.requestedPolicy
    settings.exclusive = limits
    settings.lease = leasing.policy
    settings.power = power.commanded
    settings.idle = power.limits
    settings.variableRefresh = variableRate.rule
    return settings
  }

  /// Applies settings except the layout.
  ///
  /// - Parameter setsPower: whether the power state was set explicitly; `on` then also ends an idle blank.
  func apply(_ wanted: OutputSettings, setsPower: Bool) {
    if wanted.policy != sharing.requestedPolicy { setPolicy(wanted.policy) }
    if wanted.exclusive != limits { setLimits(wanted.exclusive) }
    if wanted.lease != leasing.policy { setLeasePolicy(wanted.lease) }
    if wanted.variableRefresh != variableRate.rule { setVariableRefresh(wanted.variableRefresh) }
    if wanted.idle != power.limits { setIdleLimits(wanted.idle) }
    if setsPower || wanted.power != power.commanded { setPower(wanted.power) }
  }
}
