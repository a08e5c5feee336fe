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
    // The pixels are in the guest's own pages: only a private picture costs memory.
    try checkLimit(Device.resourceCost)
    let stride = Int(width) * PixelFormat.bytesPerPixel
    guard let layout = FrameLayout(width: Int(width), height: Int(height), strideBytes: stride, format: format)
    else { throw .invalidParameter }
    let picture = Picture(
      width: layout.width, height: layout.height, strideBytes: stride, offset: 0, format: format)
    let resource = add(id, kind: .image, picture: picture)
    guard layout.width <= Device.cursorDimension, layout.height <= Device.cursorDimension else { return }
    do throws(GPUError) {
      try makePrivate(resource)
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
    try checkLimit(Device.resourceCost + cost)
    var backing: Backing?
    if blob.entryCount > 0 {
      let found = unsafe try makeBacking(entries, entryCount: blob.entryCount)
      guard found.byteCount >= byteCount else { throw .invalidParameter }
      backing = found
    }
    let resource = add(blob.resource, kind: .blob(byteCount: byteCount), picture: nil)
    resource.backing = backing
    chargeList(resource, cost)
  }

  /// - Parameter mayWait: whether the answer may wait for the display.
  /// - Returns: the answer's token, if it waits.
  func unref(_ id: UInt32, mayWait: Bool) throws(GPUError) -> UInt64? {
    let resource = try find(id)
    for scanout in scanouts where resource.scanouts & scanout.bit != 0 { disable(scanout) }
    let token = mayWait ? takeBackPages(of: resource) : nil
    remove(resource)
    return token
  }

  func attachBacking(_ id: UInt32, entryCount: UInt32, entries: UnsafeRawBufferPointer) throws(GPUError) {
    let resource = try find(id)
    guard resource.backing == nil else { throw .unspecified }
    let cost = Int(min(entryCount, UInt32(Backing.maxEntryCount))) * Backing.entryCost
    try checkLimit(cost)
    let backing = unsafe try makeBacking(entries, entryCount: entryCount)
    if case .blob(let byteCount) = resource.kind, backing.byteCount < byteCount { throw .invalidParameter }
    resource.backing = backing
    forgetImports(of: resource)
    chargeList(resource, cost)
    // A large image has its pixels in the pages again after the next transfer of the whole image.
  }

  /// - Parameter mayWait: whether the answer may wait for the display.
  /// - Returns: the answer's token, if it waits.
  func detachBacking(_ id: UInt32, mayWait: Bool) throws(GPUError) -> UInt64? {
    let resource = try find(id)
    guard resource.backing != nil else { throw .unspecified }
    // The picture of an image stays: it moves into private memory, because the guest may reuse the pages.
    var failure: GPUError?
    if !resource.isBlob {
      do throws(GPUError) { try makePrivate(resource) } catch { failure = error }
    }
    if failure == nil {
      replaceImports(of: resource)
    } else {
      // The guest may give the pages to anything now, error or not: they must not be shown any more.
      for scanout in scanouts where resource.scanouts & scanout.bit != 0 { disable(scanout) }
    }
    let token = mayWait && failure == nil ? takeBackPages(of: resource) : nil
    forgetImports(of: resource)
    resource.backing = nil
    chargeList(resource, 0)
    if let failure { throw failure }
    return token
  }

  /// Memory that the guest has, but QEMU does not share with this process, is told once.
  private func makeBacking(_ entries: UnsafeRawBufferPointer, entryCount: UInt32) throws(GPUError) -> Backing {
    let backing = unsafe try Backing(entries, entryCount: entryCount, memory: memory)
    guard let address = backing.missingAddress else { return backing }
    noteMissingMemory(address)
    throw .unspecified
  }

  private func chargeList(_ resource: Resource, _ bytes: Int) {
    chargedBytes += bytes - resource.listBytes
    resource.listBytes = bytes
  }

  @discardableResult
  private func add(_ id: UInt32, kind: Resource.Kind, picture: Picture?) -> Resource {
    lastSerial += 1
    let resource = Resource(id: id, serial: lastSerial, kind: kind, picture: picture)
    resources[id] = resource
    chargedBytes += Device.resourceCost
    return resource
  }

  private func remove(_ resource: Resource) {
    resources[resource.id] = nil
    chargeList(resource, 0)
    chargedBytes -= Device.resourceCost + resource.privateBytes
    forgetImports(of: resource)
    // Buffers with its pixels may be overwritten.
    for scanout in scanouts { scanout.forget(serial: resource.serial) }
  }
}
