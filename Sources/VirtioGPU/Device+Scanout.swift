import GraphicsMemory
import Scanout

extension Device {
  /// Any pixel may be a scanout: that QEMU refuses fewer than 16 rows or columns is no rule of the specification.
  static let minScanoutDimension = 1

  func setScanout(_ index: UInt32, resource id: UInt32, source: Rect) throws(GPUError) {
    guard index < scanouts.count else { throw .invalidScanout }
    let scanout = scanouts[Int(index)]
    if id == 0 {
      disable(scanout)
      return
    }
    let resource = try find(id)
    // A blob has no picture of its own: SET_SCANOUT_BLOB tells it.
    guard !resource.isBlob, let picture = resource.picture, isShowable(source, in: picture) else {
      throw .invalidParameter
    }
    bind(scanout, Binding(resource: resource, source: source, picture: picture))
  }

  func setScanoutBlob(_ blob: BlobScanout) throws(GPUError) {
    guard features.contains(.resourceBlob) else { throw .unspecified }
    guard blob.scanout < scanouts.count else { throw .invalidScanout }
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
    // The pages of a blob may have changed without a word while nobody saw them.
    if (resource.isBlob || resource.changedUnseen) && resource.privatePicture == nil {
      markStale(resource, binding.picture.bounds)
    }
    resource.changedUnseen = false
    resource.scanouts |= scanout.bit
    resource.noteShown(scanout: scanout.index, source: binding.source)
    scanout.binding = binding
    scanout.damage = DamageRegion(Rect(width: binding.source.width, height: binding.source.height))
    scanout.wantsPresent = false
    reportPath(scanout, binding)
  }

  /// Blanks a scanout; whoever waits for a frame of it is answered.
  func disable(_ scanout: ScanoutState) {
    guard let binding = scanout.binding else { return }
    binding.resource.scanouts &= ~scanout.bit
    scanout.binding = nil
    scanout.wantsPresent = false
    scanout.wasFlushed = false
    if !isDisplayAway { display.disable(scanout: scanout.index) }
    abandonFlushes(scanout)
  }

  /// Tells the display how this scanout's frames come, where that is news.
  func reportPath(_ scanout: ScanoutState, _ binding: Binding) {
    if isDisplayAway { return }
    let (path, reason) = framePath(scanout, binding)
    if let told = scanout.reportedPath, told == (path, reason) { return }
    scanout.reportedPath = (path, reason)
    display.setPath(scanout: scanout.index, path: path, reason: reason)
  }

  /// Notes that a part of a resource has changed, wherever it is shown.
  func markStale(_ resource: Resource, _ rect: Rect) {
    for scanout in scanouts { scanout.markStale(rect, serial: resource.serial) }
  }
}
