import DaemonSettings
import Outputs

/// Whether the display of an output follows its frames: the setting, and the display's ability.
struct VariableRate {
  /// The setting.
  var rule = VariableRefresh.off
  /// Whether the display can follow commits.
  private var isCapable: Bool

  /// The setting `off`.
  init(_ info: OutputInfo) { isCapable = info.variableMillihertz != nil }

  /// The output has changed.
  mutating func take(_ info: OutputInfo) { isCapable = info.variableMillihertz != nil }

  /// Whether the display is to follow commits while `isSole`: one VM that is seen has the output to itself.
  func isWanted(isSole: Bool) -> Bool { rule == .single && isCapable && isSole }
}
