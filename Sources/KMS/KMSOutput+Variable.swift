import Scanout

extension CRTCProperties {
  /// Has the rate follow the commits, or not, where the driver knows of that; the CRTC was begun.
  func appendVariable(_ isVariable: Bool, to request: inout AtomicRequest) {
    if variable != 0 { request.set(variable, isVariable ? 1 : 0) }
  }
}

extension Connector {
  /// Whether the monitor can follow commits, by the driver's word. As it was when the connector was read.
  var isVariableCapable: Bool { properties.value("vrr_capable") == 1 }
}

extension KMSOutput {
  /// The rates between which the monitor can follow commits: from its EDID's lowest to the mode's; nil where driver or
  /// monitor cannot.
  ///
  /// What happens below the lowest is the driver's part: it repeats a frame before the panel forgets it.
  var variableMillihertz: ClosedRange<Int>? {
    variableFloor.map { min($0, mode.mode.refreshMillihertz)...mode.mode.refreshMillihertz }
  }

  /// Asks the connector and its monitor once.
  func findVariableFloor() {
    let isCapable = connector.isVariableCapable && pipeline.crtcProperties.variable != 0
    variableFloor = isCapable ? (EDID.verticalRates(of: connector.description.edid)?.lowerBound ?? 0) * 1000 : nil
  }
}
