import GraphicsMemory
import Scanout

extension Device {
  func transfer(_ id: UInt32, rect: Rect, offset: UInt64) throws(GPUError) {
    let resource = try find(id)
    // A blob's pages are its content. Linux sends the command nevertheless, and waits for it with a cursor.
    if resource.isBlob { return }
    guard let picture = resource.picture, let backing = resource.backing, backing.isResolved else {
      throw .unspecified
    }
    guard picture.bounds.contains(rect) else { throw .invalidParameter }
    if rect.isEmpty { return }
    let rowBytes = rect.width * PixelFormat.bytesPerPixel
    let span = (rect.height - 1) * picture.strideBytes + rowBytes
    guard let offset = Int(exactly: offset), span <= backing.byteCount, offset <= backing.byteCount - span else {
      throw .invalidParameter
    }
    try place(resource, picture, rect: rect, offset: offset)
    if let own = resource.privatePicture {
      unsafe backing.copyRows(
        rect.height, rowBytes: rowBytes, offset: offset, strideBytes: picture.strideBytes,
        to: own.base + rect.y * own.strideBytes + rect.x * PixelFormat.bytesPerPixel,
        destinationStrideBytes: own.strideBytes, ledger: &ledger, workers: workers)
    }
    resource.hasTransferred = true
    if resource.scanouts == 0 && rect != picture.bounds { resource.changedUnseen = true }
    markStale(resource, rect)
    prepareForDisplay(resource, changed: rect)
  }

  /// Determines where the pixels of an image are: at one offset of the backing, or else in private memory.
  private func place(_ resource: Resource, _ picture: Picture, rect: Rect, offset: Int) throws(GPUError) {
    // The position of pixel (0, 0).
    let origin = offset - rect.y * picture.strideBytes - rect.x * PixelFormat.bytesPerPixel
    let isCursor = picture.width <= Device.cursorDimension && picture.height <= Device.cursorDimension
    if isCursor { return }
    if rect == picture.bounds { dropPrivate(resource) }
    if origin == picture.offset || resource.privatePicture != nil { return }
    if origin >= 0 && (!resource.hasTransferred || rect == picture.bounds) {
      resource.picture?.offset = origin
      rebind(resource)
    } else {
      try makePrivate(resource)
    }
  }

  /// The picture has moved inside its backing: updates the scanouts that show it.
  private func rebind(_ resource: Resource) {
    guard let picture = resource.picture else { return }
    for scanout in scanouts where resource.scanouts & scanout.bit != 0 {
      guard let old = scanout.binding else { continue }
      scanout.binding = Binding(resource: resource, source: old.source, picture: picture)
    }
  }

  /// Copies the damage into host buffers of the scanouts that show the resource, or probably will soon.
  private func prepareForDisplay(_ resource: Resource, changed: Rect) {
    guard let picture = resource.picture else { return }
    if resource.scanouts != 0 {
      for scanout in scanouts where resource.scanouts & scanout.bit != 0 {
        guard let binding = scanout.binding, scanout.addDamage(changed, to: binding) else { continue }
        if directBuffer(scanout, binding) == nil { _ = prepare(scanout, binding) }
      }
      return
    }
    // A page-flipping guest draws into the buffer that was on screen before.
    for last in resource.lastSources {
      let scanout = scanouts[last.scanout]
      guard let current = scanout.binding, current.source.width == last.source.width,
        current.source.height == last.source.height
      else { continue }
      let next = Binding(resource: resource, source: last.source, picture: picture)
      if directBuffer(scanout, next) == nil { _ = prepare(scanout, next) }
    }
  }
}
