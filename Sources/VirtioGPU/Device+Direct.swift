import GraphicsMemory
import Scanout

extension Device {
  /// How long the display is left alone after it had no answer to an import; twice as long each time in a row.
  static let importRetryNanoseconds: UInt64 = 500_000_000

  /// The guest's own pages as a buffer of the display; nil where the picture has to be copied. Asks the display where that
  /// is not known yet.
  ///
  /// The display pins the pages for as long as it may read them: a guest that takes them back too early is seen drawing,
  /// and nothing worse.
  func directBuffer(_ scanout: ScanoutState, _ binding: Binding) -> ImportedBuffer? {
    guard mayBeDirect(binding), !isDisplayAway else { return nil }
    let serial = binding.resource.serial
    switch scanout.imports.answer(serial: serial, picture: binding.picture) {
    case .imported(let buffer)?: return buffer
    case .refused?: return nil
    case nil: break
    }
    guard clockNanoseconds >= scanout.imports.unavailableUntilNanoseconds else { return nil }
    let answer: DirectImports.Answer
    switch askForImport(scanout, binding) {
    case .imported(let id): answer = .imported(ImportedBuffer(id: id, serial: serial, picture: binding.picture))
    case .refused(let reason): answer = .refused(reason)
    case .unavailable(let reason):
      scanout.imports.noteUnavailable(atNanoseconds: clockNanoseconds)
      scanout.unavailableReason = reason
      return nil
    }
    if let dropped = scanout.imports.add(answer, serial: serial, picture: binding.picture) {
      display.destroyBuffer(dropped.id)
    }
    if case .imported(let buffer) = answer { return buffer }
    return nil
  }

  /// Whether the policy wants the guest's pages shown, and they hold the picture.
  private func mayBeDirect(_ binding: Binding) -> Bool {
    let resource = binding.resource
    guard resource.privatePicture == nil, resource.backing?.isResolved == true else { return false }
    switch configuration.pathPolicy {
    case .copy: return false
    case .auto: return resource.isBlob
    case .direct: return true
    }
  }

  private func askForImport(_ scanout: ScanoutState, _ binding: Binding) -> BufferImport {
    let picture = binding.picture
    guard let backing = binding.resource.backing,
      let picked = FrameLayout(
        width: picture.width, height: picture.height, strideBytes: picture.strideBytes, offset: picture.offset,
        format: picture.format.opaque)
    else { return .refused(reason: "the picture has no layout") }
    guard let pages = backing.pages(from: picked.offset, to: picked.byteCount, memory: memory) else {
      return .refused(reason: "the guest's memory for it is not made of whole pages")
    }
    guard
      let layout = FrameLayout(
        width: picked.width, height: picked.height, strideBytes: picked.strideBytes, offset: pages.skipped,
        format: picked.format)
    else { return .refused(reason: "the picture has no layout") }
    return display.importBuffer(scanout: scanout.index, layout: layout, ranges: pages.ranges)
  }

  /// The path that a binding's frames take, and why no better one. Where the display was not asked yet, it will be.
  func framePath(_ scanout: ScanoutState, _ binding: Binding) -> (FramePath, String) {
    switch (configuration.pathPolicy, binding.resource.isBlob) {
    case (.copy, _): return (.copy, "copies are asked for")
    case (.auto, false):
      return (.copy, "the guest does not wait for the screen: showing its own pages would tear")
    case (.auto, true), (.direct, _): break
    }
    if directBuffer(scanout, binding) != nil { return (.direct, "") }
    if binding.resource.privatePicture != nil { return (.copy, "the guest's pages do not hold this picture") }
    guard binding.resource.backing?.isResolved == true else { return (.copy, "the guest has given it no memory") }
    if case .refused(let reason)? = scanout.imports.answer(serial: binding.resource.serial, picture: binding.picture) {
      return (.copy, reason)
    }
    return (.copy, scanout.unavailableReason)
  }

  /// Shows the guest's own pages.
  func presentDirectly(_ buffer: ImportedBuffer, _ scanout: ScanoutState, _ binding: Binding) {
    var frame = FrameSubmission(
      scanout: scanout.index, frame: 0, bufferID: buffer.id, source: binding.source,
      damage: scanout.damage.moved(x: binding.source.x, y: binding.source.y), path: .direct,
      copiedBytes: scanout.copiedBytes, readyNanoseconds: scanout.readyNanoseconds)
    frame.frame = scanout.noteFrame(of: buffer)
    display.present(frame)
  }

  /// The guest takes a resource's pages back: where they are on screen, a copy takes their place.
  func replaceImports(of resource: Resource) {
    for scanout in scanouts where resource.scanouts & scanout.bit != 0 && scanout.wasFlushed && !isDisplayAway {
      guard let binding = scanout.binding,
        case .imported? = scanout.imports.answer(serial: resource.serial, picture: binding.picture)
      else { continue }
      scanout.damage = DamageRegion(Rect(width: binding.source.width, height: binding.source.height))
      presentCopy(scanout, binding)
    }
    forgetImports(of: resource)
  }

  /// Drops a resource's imports, and refusals: its pages are others from now on.
  func forgetImports(of resource: Resource) {
    for scanout in scanouts {
      scanout.imports.remove(serial: resource.serial) { display.destroyBuffer($0.id) }
      settle(scanout)
    }
    settleAnswers()
  }

  /// Drops all imports of a scanout, and refusals.
  func forgetImports(_ scanout: ScanoutState) {
    scanout.imports.remove(serial: nil) { display.destroyBuffer($0.id) }
    settle(scanout)
  }
}
