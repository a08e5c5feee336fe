import CDRM
import LinuxIO

extension KMSCard {
  /// Gives the card up while another console is shown: its outputs are turned off, and refuse frames until `takeBack`.
  ///
  /// No picture stays on screen, so VMs' buffers are no longer read. The corresponding C function is `drmDropMaster`.
  public func giveUp() {
    for output in openOutputs where output.lease == nil { output.switchOff() }
    isGivenUp = true
    device.dropMaster()
  }

  /// Becomes DRM master again, and turns off whatever others have left on the card. The next frame of each output sets its
  /// mode.
  public func takeBack() throws(KMSError) {
    try becomeMaster()
    isGivenUp = false
    turnOthersOff()
    // Monitors may have been plugged or unplugged meanwhile.
    rescan()
  }

  /// Other programs may have paired CRTCs, connectors and planes in other ways, which would be in the way of each output's
  /// own mode set. Leased outputs stay with their lessees.
  private func turnOthersOff() {
    guard let topology = try? Topology(device), let connectors = try? Topology.connectors(device, probe: false) else {
      return
    }
    let leased = openOutputs.filter { $0.lease != nil }.map(\.pipeline)
    let kept = Set(leased.flatMap { $0.planeIDs + [$0.crtc.id, $0.connectorID] })
    var request = AtomicRequest()
    for plane in topology.planes where plane.currentCRTC != nil && !kept.contains(plane.id) {
      guard let properties = try? PlaneProperties(plane.properties) else { continue }
      request.begin(plane.id)
      request.set(properties.framebufferID, 0)
      request.set(properties.crtcID, 0)
    }
    for connector in connectors where connector.currentCRTC != nil && !kept.contains(connector.id) {
      guard let properties = try? ConnectorProperties(connector.properties) else { continue }
      request.begin(connector.id)
      request.set(properties.crtcID, 0)
    }
    for crtc in topology.crtcs where crtc.properties.value("ACTIVE") == 1 && !kept.contains(crtc.id) {
      guard let properties = try? CRTCProperties(crtc.properties) else { continue }
      request.begin(crtc.id)
      request.set(properties.active, 0)
      request.set(properties.modeID, 0)
      properties.appendVariable(false, to: &request)
    }
    // If the driver refuses, the outputs' own mode sets may still succeed, or report why not.
    _ = request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
  }
}
