import GraphicsMemory
import Scanout

extension Device {
  /// A scanout may be a single pixel: QEMU's minimum of 16 rows and columns is not in the specification.
  static let minScanoutDimension = 1

  func setScanout(_ index: UInt32, resource id: UInt32, source: Rect) throws(GPUError) {
    try checkScanout(index)
    let scanout = scanouts[Int(index)]
    if id == 0 {
      disable(scanout)
      return
    }
    let resource = try find(id)
    // A blob does not have a layout; SET_SCANOUT_BLOB provides it.
    guard !resource.isBlob, let picture = resource.picture, isShowable(source, in: picture) else {
      throw .invalidParameter
    }
    bind(scanout, Binding(resource: resource, source: source, picture: picture))
  }

  func setScanoutBlob(_ blob: BlobScanout) throws(GPUError) {
    guard features.contains(.resourceBlob) else { throw .unspecified }
    try checkScanout(blob.scanout)
    let scanout = scanouts[Int(blob.scanout)]
    if blob.resource == 0 {
      disable(scanout)
      return
    }
    let resource = try find(blob.resource)
    guard case .blob(let byteCount) = resource.kind, let format = PixelFormat(virtio: blob.format),
      let layout = FrameLayout(
        width: Int(blob.width), height: Int(blob.height), strideBytes: Int(blob.strideBytes), offset: Int(blob.offset),
        format: format), layout.byteCount <= byteCount
    else { throw .invalidParameter }
    let picture = Picture(
      width: layout.width, height: layout.height, strideBytes: layout.strideBytes, offset: layout.offset,
      format: format)
    guard isShowable(blob.source, in: picture) else { throw .invalidParameter }
    resource.picture = picture
    bind(scanout, Binding(resource: resource, source: blob.source, picture: picture))
  }

  private func isShowable(_ source: Rect, in picture: Picture) -> Bool {
    source.width >= Device.minScanoutDimension && source.height >= Device.minScanoutDimension
      && picture.bounds.contains(source)
  }

  private func bind(_ scanout: ScanoutState, _ binding: Binding) {
    let resource = binding.resource
    if let old = scanout.binding {
      if old.resource === resource && old.source == binding.source && old.picture == binding.picture { return }
      old.resource.scanouts &= ~scanout.bit
    }
    // The pages of a blob may have changed without a command while no scanout showed them.
    if (resource.isBlob || resource.changedUnseen) && resource.privatePicture == nil {
      markStale(resource, binding.picture.bounds)
    }
    resource.changedUnseen = false
    resource.scanouts |= scanout.bit
    resource.noteShown(scanout: scanout.index, source: binding.source)
    scanout.binding = binding
    scanout.damage = .full
    scanout.wantsPresent = false
    reportPath(scanout)
  }

  /// Blanks a scanout, and completes the flushes that wait for it.
  func disable(_ scanout: ScanoutState) {
    guard let binding = scanout.binding else { return }
    binding.resource.scanouts &= ~scanout.bit
    scanout.binding = nil
    scanout.wantsPresent = false
    scanout.wasFlushed = false
    scanout.presented = nil
    scanout.isShowingGuestPages = false
    if !isDisplayAway { display.disable(scanout: scanout.index) }
    abandonFlushes(scanout)
  }

  /// Reports the path of this scanout's frames to the display if it has changed.
  func reportPath(_ scanout: ScanoutState) {
    if isDisplayAway { return }
    var (path, reason): (FramePath, String)
    if let refusal {
      (path, reason) = (.copy, "refused: \(refusal)")
    } else if isStopped {
      (path, reason) = (.copy, Device.stoppedReason)
    } else {
      guard let binding = scanout.binding else { return }
      (path, reason) = framePath(scanout, binding)
    }
    if let missingMemory { reason = reason.isEmpty ? missingMemory : "\(missingMemory); \(reason)" }
    if let memoryRefusal { reason = reason.isEmpty ? memoryRefusal : "\(memoryRefusal); \(reason)" }
    if let told = scanout.reportedPath, told == (path, reason) { return }
    scanout.reportedPath = (path, reason)
    display.setPath(scanout: scanout.index, path: path, reason: reason)
  }

  /// Adds damage of a resource to every scanout that shows it.
  func markStale(_ resource: Resource, _ rect: Rect) {
    for scanout in scanouts { scanout.markStale(rect, serial: resource.serial) }
  }
}
