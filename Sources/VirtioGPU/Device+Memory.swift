/// The memory of this process used by the guest's resources, and its limit.
extension Device {
  /// The cost of a resource in addition to its pixels and its list of pages.
  static let resourceCost = 1024

  /// Changes the memory limit. Nothing that is held is freed; a refusal is told anew.
  public func limitMemory(to byteCount: Int) {
    guard byteCount != configuration.memoryLimitBytes else { return }
    configuration.memoryLimitBytes = byteCount
    guard memoryRefusal != nil else { return }
    memoryRefusal = nil
    for scanout in scanouts { reportPath(scanout) }
  }

  /// Refuses what would pass the limit.
  func checkLimit(_ bytes: Int) throws(GPUError) {
    if isWithinLimit(bytes) { return }
    noteMemoryRefusal(bytes)
    throw .outOfMemory
  }

  /// Whether this many more bytes are allowed.
  func isWithinLimit(_ bytes: Int) -> Bool { bytes <= configuration.memoryLimitBytes - chargedBytes }

  /// Moves the pixels of an image into memory of this process.
  func makePrivate(_ resource: Resource) throws(GPUError) {
    guard resource.privatePicture == nil, let picture = resource.picture else { return }
    try checkLimit(picture.strideBytes * picture.height)
    try resource.makePrivate(ledger: &ledger, workers: workers)
    chargedBytes += resource.privateBytes
  }

  /// The pixels of an image are in the guest's pages again.
  func dropPrivate(_ resource: Resource) {
    chargedBytes -= resource.privateBytes
    resource.privatePicture = nil
  }

  /// Reports the first page of the guest that is not in its memory.
  func noteMissingMemory(_ address: UInt64) {
    guard missingMemory == nil else { return }
    let reason =
      "a picture has memory at 0x\(String(address, radix: 16)) that QEMU does not share: give all of the VM's memory, "
      + "DIMMs too, share=on"
    missingMemory = reason
    onMissingMemory?(reason)
    for scanout in scanouts { reportPath(scanout) }
  }

  /// Reports the first refusal since the guest started.
  private func noteMemoryRefusal(_ bytes: Int) {
    guard memoryRefusal == nil else { return }
    let limit = configuration.memoryLimitBytes
    let reason =
      "the guest's graphics memory is at its limit: \(bytes) bytes refused, \(chargedBytes) of \(limit) bytes in use"
    memoryRefusal = reason
    onMemoryRefusal?(reason)
    for scanout in scanouts { reportPath(scanout) }
  }
}
