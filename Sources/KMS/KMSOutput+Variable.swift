import Scanout

extension CRTCProperties {
  /// Sets VRR_ENABLED if the driver has it; the request's current object is the CRTC.
  func appendVariable(_ isVariable: Bool, to request: inout AtomicRequest) {
    if let variable { request.set(variable, isVariable ? 1 : 0) }
  }
}

extension Connector {
  /// Whether the monitor supports variable refresh (`vrr_capable`), as of the last time the connector was read.
  var isVariableCapable: Bool { properties.value("vrr_capable") == 1 }
}

extension KMSOutput {
  /// The rates between which the monitor can follow commits, from its EDID's lowest to the mode's; nil if driver or
  /// monitor cannot.
  ///
  /// Below the lowest rate the driver repeats frames by itself.
  var variableMillihertz: ClosedRange<Int>? {
    variableFloor.map { min($0, mode.mode.refreshMillihertz)...mode.mode.refreshMillihertz }
  }

  /// Reads the lowest rate from the connector and the monitor's EDID.
  func findVariableFloor() {
    let isCapable = connector.isVariableCapable && pipeline.crtcProperties.variable != nil
    variableFloor = isCapable ? (EDID.verticalRates(of: connector.description.edid)?.lowerBound ?? 0) * 1000 : nil
  }
}
