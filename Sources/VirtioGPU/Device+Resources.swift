import GraphicsMemory
import Scanout

extension Device {
  /// Images up to this width and height in pixels are taken for cursors: they are kept in private memory, without host
  /// buffers.
  static let cursorDimension = 64

  func find(_ id: UInt32) throws(GPUError) -> Resource {
    guard id != 0, let resource = resources[id] else { throw .invalidResource }
    return resource
  }

  func createImage(_ id: UInt32, format: UInt32, width: UInt32, height: UInt32) throws(GPUError) {
    guard id != 0, resources[id] == nil else { throw .invalidResource }
    guard let format = PixelFormat(virtio: format), width > 0, height > 0 else { throw .invalidParameter }
    // The product of two 32-bit numbers and 4 can exceed 64 bits.
    let (pixels, manyPixels) = Int(width).multipliedReportingOverflow(by: Int(height))
    let (bytes, manyBytes) = pixels.multipliedReportingOverflow(by: PixelFormat.bytesPerPixel)
    guard !manyPixels, !manyBytes else { throw .outOfMemory }
    try checkCharge(bytes)
    let stride = Int(width) * PixelFormat.bytesPerPixel
    guard let layout = FrameLayout(width: Int(width), height: Int(height), strideBytes: stride, format: format)
    else { throw .invalidParameter }
    let picture = Picture(
      width: layout.width, height: layout.height, strideBytes: stride, offset: 0, format: format)
    let resource = add(id, kind: .image, picture: picture, bytes: bytes)
    guard layout.width <= Device.cursorDimension, layout.height <= Device.cursorDimension else { return }
    do throws(GPUError) {
      try resource.makePrivate(ledger: &ledger, workers: workers)
    } catch {
      remove(resource)
      throw error
    }
  }

  func createBlob(_ blob: BlobCreation, entries: UnsafeRawBufferPointer) throws(GPUError) {
    guard features.contains(.resourceBlob) else { throw .unspecified }
    guard blob.resource != 0, resources[blob.resource] == nil else { throw .invalidResource }
    guard blob.memory == BlobCreation.guestMemory, blob.flags & ~BlobCreation.knownFlags == 0, blob.byteCount > 0,
      let byteCount = Int(exactly: blob.byteCount)
    else { throw .invalidParameter }
    // The pages belong to the guest, so only the list of entries is charged. They may also be attached later.
    let cost = Int(min(blob.entryCount, UInt32(Backing.maxEntryCount))) * Backing.entryCost
    try checkCharge(cost)
    var backing: Backing?
    if blob.entryCount > 0 {
      let found = unsafe try Backing(entries, entryCount: blob.entryCount, memory: memory)
      guard found.byteCount >= byteCount else { throw .invalidParameter }
      backing = found
    }
    add(blob.resource, kind: .blob(byteCount: byteCount), picture: nil, bytes: cost).backing = backing
  }

  func unref(_ id: UInt32) throws(GPUError) {
    let resource = try find(id)
    for scanout in scanouts where resource.scanouts & scanout.bit != 0 { disable(scanout) }
    remove(resource)
  }

  func attachBacking(_ id: UInt32, entryCount: UInt32, entries: UnsafeRawBufferPointer) throws(GPUError) {
    let resource = try find(id)
    guard resource.backing == nil else { throw .unspecified }
    let cost = Int(min(entryCount, UInt32(Backing.maxEntryCount))) * Backing.entryCost
    guard cost <= configuration.memoryLimitBytes - chargedBytes else { throw .outOfMemory }
    let backing = unsafe try Backing(entries, entryCount: entryCount, memory: memory)
    if case .blob(let byteCount) = resource.kind, backing.byteCount < byteCount { throw .invalidParameter }
    resource.backing = backing
    forgetImports(of: resource)
    resource.chargedBytes += cost
    chargedBytes += cost
    // A large image has its pixels in the pages again after the next transfer of the whole image.
  }

  func detachBacking(_ id: UInt32) throws(GPUError) {
    let resource = try find(id)
    guard resource.backing != nil else { throw .unspecified }
    // The picture of an image stays: it moves into private memory, because the guest may reuse the pages.
    if !resource.isBlob { try resource.makePrivate(ledger: &ledger, workers: workers) }
    replaceImports(of: resource)
    resource.backing = nil
    let cost = resource.chargedBytes - Device.resourceCost - imageBytes(resource)
    resource.chargedBytes -= cost
    chargedBytes -= cost
  }

  private func imageBytes(_ resource: Resource) -> Int {
    guard !resource.isBlob, let picture = resource.picture else { return 0 }
    return picture.strideBytes * picture.height
  }

  private func checkCharge(_ bytes: Int) throws(GPUError) {
    guard bytes <= configuration.memoryLimitBytes - chargedBytes - Device.resourceCost else { throw .outOfMemory }
  }

  @discardableResult
  private func add(_ id: UInt32, kind: Resource.Kind, picture: Picture?, bytes: Int) -> Resource {
    lastSerial += 1
    let charge = bytes + Device.resourceCost
    let resource = Resource(id: id, serial: lastSerial, kind: kind, picture: picture, chargedBytes: charge)
    resources[id] = resource
    chargedBytes += charge
    return resource
  }

  private func remove(_ resource: Resource) {
    resources[resource.id] = nil
    chargedBytes -= resource.chargedBytes
    forgetImports(of: resource)
    // Buffers with its pixels may be overwritten.
    for scanout in scanouts { scanout.forget(serial: resource.serial) }
  }
}
