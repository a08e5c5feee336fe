import GraphicsMemory
import Scanout

extension Device {
  /// How long imports pause after the display did not answer one; doubled each time in a row.
  static let importRetryNanoseconds: UInt64 = 500_000_000

  /// The guest's pages as a buffer of the display; nil if the picture must be copied. Asks the display unless the
  /// answer is known.
  ///
  /// The display pins the pages while it may read them; a guest that takes them back waits for that (`LeavingPages`).
  func directBuffer(_ scanout: ScanoutState, _ binding: Binding) -> ImportedBuffer? {
    guard mayBeDirect(binding), !isDisplayAway, !isStopped else { return nil }
    let serial = binding.resource.serial
    switch scanout.imports.answer(serial: serial, picture: binding.picture) {
    case .imported(let buffer)?: return buffer
    case .refused?: return nil
    case nil: break
    }
    guard clockNanoseconds >= scanout.imports.unavailableUntilNanoseconds ?? 0 else { return nil }
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

  /// Whether the policy allows direct scan-out, and the guest's pages hold the picture.
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
      return .refused(reason: "its guest memory is not whole pages")
    }
    guard
      let layout = FrameLayout(
        width: picked.width, height: picked.height, strideBytes: picked.strideBytes, offset: pages.skipped,
        format: picked.format)
    else { return .refused(reason: "the picture has no layout") }
    return display.importBuffer(scanout: scanout.index, layout: layout, ranges: pages.ranges)
  }

  /// The path of a binding's frames, and why a better one is unavailable. Assumes success for an import that was not
  /// tried yet.
  func framePath(_ scanout: ScanoutState, _ binding: Binding) -> (FramePath, String) {
    switch (configuration.pathPolicy, binding.resource.isBlob) {
    case (.copy, _): return (.copy, "the policy is to copy")
    case (.auto, false):
      return (.copy, "the guest does not wait for the screen: direct scan-out would tear")
    case (.auto, true), (.direct, _): break
    }
    if directBuffer(scanout, binding) != nil { return (.direct, "") }
    if binding.resource.privatePicture != nil { return (.copy, "the guest's pages do not hold this picture") }
    guard binding.resource.backing?.isResolved == true else { return (.copy, "the resource has no memory") }
    if case .refused(let reason)? = scanout.imports.answer(serial: binding.resource.serial, picture: binding.picture) {
      return (.copy, reason)
    }
    return (.copy, scanout.unavailableReason)
  }

  /// Presents the guest's pages.
  func presentDirectly(_ buffer: ImportedBuffer, _ scanout: ScanoutState, _ binding: Binding) {
    var frame = FrameSubmission(
      scanout: scanout.index, frame: 0, bufferID: buffer.id, source: binding.source,
      damage: scanout.damage.moved(x: binding.source.x, y: binding.source.y), path: .direct,
      copiedBytes: scanout.copiedBytes, readyNanoseconds: scanout.readyNanoseconds)
    frame.frame = scanout.noteFrame(of: buffer, binding)
    display.present(frame)
  }

  /// Handles the detaching of a resource's pages: if they are on screen, a copy replaces them.
  func replaceImports(of resource: Resource) {
    for scanout in scanouts where resource.scanouts & scanout.bit != 0 && scanout.wasFlushed && !isDisplayAway {
      guard let binding = scanout.binding,
        case .imported? = scanout.imports.answer(serial: resource.serial, picture: binding.picture)
      else { continue }
      scanout.damage = .full
      presentCopy(scanout, binding)
    }
  }

  /// The guest takes a resource's pages back: keeps its imports until the display has let go of them.
  ///
  /// - Returns: the token of the command's answer; nil if the display reads none of the pages.
  func takeBackPages(of resource: Resource) -> UInt64? {
    if isDisplayAway { return nil }
    var read: [(buffer: ImportedBuffer, scanout: Int)] = []
    for scanout in scanouts {
      scanout.imports.remove(serial: resource.serial) { buffer in
        if buffer.isFree { display.destroyBuffer(buffer.id) } else { read.append((buffer, scanout.index)) }
      }
      settle(scanout)
    }
    settleAnswers()
    return read.isEmpty ? nil : leaving.add(read, at: clockNanoseconds)
  }

  func destroy(_ buffer: ImportedBuffer) { if !isDisplayAway { display.destroyBuffer(buffer.id) } }

  /// Answers commands whose pages the display has let go of, or that have waited for too long.
  ///
  /// - Parameter isLost: whether the display has lost a scanout's buffers.
  func settleLeaving(isLost: (_ scanout: Int) -> Bool = { _ in false }) {
    if !leaving.isReadingAny { return }
    var tokens: [UInt64] = []
    leaving.settle(at: clockNanoseconds, isLost: isLost, dropped: { destroy($0) }, answered: { tokens.append($0) })
    for token in tokens { onCompletion?(token) }
  }

  /// Drops a resource's imports and refusals, because its pages change.
  func forgetImports(of resource: Resource) {
    for scanout in scanouts {
      scanout.imports.remove(serial: resource.serial) { display.destroyBuffer($0.id) }
      settle(scanout)
    }
    settleAnswers()
  }

  /// Drops all imports and refusals of a scanout.
  func forgetImports(_ scanout: ScanoutState) {
    scanout.imports.remove(serial: nil) { display.destroyBuffer($0.id) }
    settle(scanout)
  }
}
