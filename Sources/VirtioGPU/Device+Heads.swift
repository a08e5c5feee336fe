import Scanout

extension Device {
  /// The rectangle of each head on the guest's desktop, left to right; empty without a monitor.
  func displayModes() -> [Rect] {
    var x = 0
    return scanouts.map { scanout in
      guard let head = display.head(scanout.index), head.connected, head.mode.width > 0, head.mode.height > 0
      else { return .empty }
      defer { x += head.mode.width }
      return Rect(x: x, y: 0, width: head.mode.width, height: head.mode.height)
    }
  }

  /// The EDID of a head, whose preferred mode is that of the display info; empty without a monitor.
  func edid(_ index: UInt32) throws(GPUError) -> [UInt8] {
    guard features.contains(.edid) else { throw .unspecified }
    try checkScanout(index)
    guard let head = display.head(Int(index)), head.connected else { return [] }
    return EDID.forGuest(
      monitor: head.edid,
      description: EDID.Description(
        mode: head.mode, name: head.name, serial: index + 1, widthMillimetres: head.widthMillimetres,
        heightMillimetres: head.heightMillimetres))
  }

  /// Refuses a scanout that the device does not have.
  func checkScanout(_ index: UInt32) throws(GPUError) {
    if index < scanouts.count { return }
    if !hasMissedScanout {
      hasMissedScanout = true
      onMissingScanout?(index)
    }
    throw .invalidScanout
  }

  /// Bytes of the configuration space.
  public static let configurationByteCount = ConfigurationSpace.byteCount

  /// Reads the configuration space from byte `offset` on; bytes past its end are 0.
  public func readConfiguration(offset: Int, into destination: UnsafeMutableRawBufferPointer) {
    unsafe space.read(offset, into: destination)
  }

  /// The guest's write to the configuration space.
  public func writeConfiguration(offset: Int, bytes: UnsafeRawBufferPointer) {
    unsafe space.write(offset, bytes)
  }

  /// Monitors were plugged or unplugged, or their modes changed.
  ///
  /// Sets VIRTIO_GPU_EVENT_DISPLAY; the caller then sends the guest a configuration change notification.
  public func headsChanged() {
    space.events |= ConfigurationSpace.displayEvent
    for scanout in scanouts {
      for pool in scanout.pools { pool.refusedUntilNanoseconds = nil }
      scanout.imports.removeRefusals()
    }
    retryFrames()
  }
}
