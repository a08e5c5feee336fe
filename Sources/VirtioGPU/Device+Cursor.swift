import GraphicsMemory
import GuestMemory
import Scanout

/// A scanout's cursor.
struct CursorState {
  /// Whether the guest's last command named a resource; one without hides the cursor.
  var hasResource = false
  var x = 0
  var y = 0
  var hotX = 0
  var hotY = 0
  /// The image, 64 × 64; kept for a display that reconnects.
  var picture: PrivatePicture?
  /// Two host buffers in turn, so that the one on screen does not change.
  private var buffers: [HostBuffer] = []
  private var current = 0

  var isVisible: Bool { hasResource && picture != nil }
  var bufferIDs: [UInt32] { buffers.map(\.id) }
  /// The buffer with the image, if there is one.
  var shown: HostBuffer? { current < buffers.count ? buffers[current] : nil }

  mutating func removeBuffers() {
    buffers.removeAll()
    current = 0
  }

  /// The buffer for the next image.
  mutating func nextBuffer(make: () -> HostBuffer?) -> HostBuffer? {
    if buffers.count < 2 {
      guard let made = make() else { return nil }
      buffers.append(made)
      current = buffers.count - 1
    } else {
      current = 1 - current
    }
    return buffers[current]
  }
}

extension Device {
  /// Serves one command of the cursor queue.
  ///
  /// - Returns: the bytes of `response` that answer it, for a chain with room for them; Linux's chains have none.
  @discardableResult
  public func cursor(request: UnsafeRawBufferPointer) -> Int {
    var reader = unsafe ByteReader(request.bytes)
    guard let header = ControlHeader(&reader) else { return buffer.encode(.unspecified, for: .none) }
    do throws(GPUError) {
      guard header.type == CursorCommand.updateType || header.type == CursorCommand.moveType else {
        throw .unspecified
      }
      try apply(try CursorCommand(&reader), isUpdate: header.type == CursorCommand.updateType)
      return buffer.encodeOK(for: header)
    } catch {
      return buffer.encode(error, for: header)
    }
  }

  private func apply(_ command: CursorCommand, isUpdate: Bool) throws(GPUError) {
    try checkScanout(command.scanout)
    let scanout = scanouts[Int(command.scanout)]
    scanout.cursor.x = command.x
    scanout.cursor.y = command.y
    if isUpdate {
      scanout.cursor.hotX = command.hotX
      scanout.cursor.hotY = command.hotY
    }
    if command.resource == 0 {
      hideCursor(scanout)
      return
    }
    // As in QEMU, either command shows the cursor by naming a resource, and hides it by naming none; only an update
    // changes the picture, and one that has none leaves the picture before it.
    scanout.cursor.hasResource = true
    do throws(GPUError) {
      if isUpdate {
        scanout.cursor.picture = try cursorPicture(try find(command.resource))
        showCursor(scanout)
        return
      }
    } catch {
      moveCursor(scanout)
      throw error
    }
    moveCursor(scanout)
  }

  /// Shows the picture that there is at its new place.
  private func moveCursor(_ scanout: ScanoutState) {
    if scanout.cursor.shown == nil { showCursor(scanout) } else { placeCursor(scanout) }
  }

  /// A copy of a resource's pixels, 64 × 64.
  private func cursorPicture(_ resource: Resource) throws(GPUError) -> PrivatePicture {
    let side = Device.cursorDimension
    var source = Picture(
      width: side, height: side, strideBytes: side * PixelFormat.bytesPerPixel, offset: 0, format: .argb8888)
    switch resource.kind {
    case .image:
      guard let picture = resource.picture, picture.width <= side, picture.height <= side else {
        throw .invalidParameter
      }
      source = picture
    case .blob(let byteCount):
      guard byteCount >= source.strideBytes * side else { throw .invalidParameter }
    }
    guard resource.isReadable else { throw .unspecified }
    guard let copy = PrivatePicture(width: side, height: side) else { throw .outOfMemory }
    unsafe resource.copy(
      source.bounds, of: source, to: copy.base, destinationStrideBytes: copy.strideBytes, ledger: &cursorLedger,
      workers: nil)
    return copy
  }

  /// Draws the cursor image into a host buffer and shows it.
  func showCursor(_ scanout: ScanoutState) {
    guard !isDisplayAway, let picture = scanout.cursor.picture else { return }
    let side = Device.cursorDimension
    let made = scanout.cursor.nextBuffer {
      guard let host = display.makeCursorBuffer(scanout: scanout.index) else { return nil }
      if host.mapped.layout.width >= side && host.mapped.layout.height >= side { return host }
      display.destroyBuffer(host.id)
      return nil
    }
    guard let host = made else { return }
    host.mapped.beginAccess()
    // SAFETY: the buffer was found to be no smaller than the picture.
    unsafe cursorLedger.copyRect(
      Rect(width: side, height: side), from: picture.base, sourceStrideBytes: picture.strideBytes,
      to: host.mapped.pixels, destinationStrideBytes: host.mapped.layout.strideBytes)
    host.mapped.endAccess()
    placeCursor(scanout)
  }

  private func placeCursor(_ scanout: ScanoutState) {
    guard !isDisplayAway, let host = scanout.cursor.shown else { return }
    let cursor = scanout.cursor
    display.setCursor(
      scanout: scanout.index, bufferID: host.id, x: cursor.x, y: cursor.y, hotX: cursor.hotX, hotY: cursor.hotY)
  }

  func hideCursor(_ scanout: ScanoutState) {
    let wasVisible = scanout.cursor.isVisible
    scanout.cursor.hasResource = false
    guard wasVisible, !isDisplayAway else { return }
    display.setCursor(
      scanout: scanout.index, bufferID: nil, x: scanout.cursor.x, y: scanout.cursor.y, hotX: 0, hotY: 0)
  }
}
