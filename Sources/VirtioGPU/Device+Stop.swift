import GraphicsMemory
import Scanout

/// Handles a stop of the guest's control queue.
///
/// A pause, a reset, an unbound driver and a replaced kernel cannot be distinguished, and after all except the first
/// the guest's pages get other content. So the guest's pages are no longer read: a private copy replaces the picture
/// on screen, and the pages are shown again only after a restart.
extension Device {
  /// The reason in status.
  static let stoppedReason = "stopped: the guest's device does not run (paused, reset, or without a driver)"

  /// The control queue stops: replaces frames that show the guest's pages.
  ///
  /// If no copy can be made at once, the scanout becomes black. The display may read the pages until it has shown
  /// the replacement: wait for `isReadingGuestPages` to become false, if that takes long after `hideGuestPages`, then
  /// call `forgetGuestPages`, and only then let the guest continue.
  /// - Parameter nowNanoseconds: CLOCK_MONOTONIC.
  public func stop(nowNanoseconds: UInt64) {
    guard !isStopped else { return }
    clockNanoseconds = max(clockNanoseconds, nowNanoseconds)
    isStopped = true
    stoppedNanoseconds = clockNanoseconds
    blankDeadlineNanoseconds = configuration.stoppedBlankNanoseconds.map { stoppedNanoseconds &+ $0 }
    for scanout in scanouts {
      scanout.wantsPresent = false
      guard let shown = scanout.presented else { continue }
      scanout.still = makeStill(of: shown)
      if scanout.isShowingGuestPages { replaceGuestPages(scanout) }
      if scanout.binding != nil { reportPath(scanout) }
    }
  }

  /// Whether the display may still read pages of the guest for a frame.
  public var isReadingGuestPages: Bool {
    !isDisplayAway && (leaving.isReadingAny || scanouts.contains { $0.imports.isReadingAny })
  }

  /// Blanks the scanouts that may still show pages of the guest: black waits for nobody's turn, unlike a frame.
  public func hideGuestPages() {
    for scanout in scanouts where scanout.imports.isReadingAny {
      scanout.isHidden = true
      blank(scanout)
    }
  }

  /// Lets go of all pages of the guest.
  public func forgetGuestPages() {
    for scanout in scanouts { forgetImports(scanout) }
    settleAnswers()
    settleLeaving { _ in true }
    for scanout in scanouts where scanout.isHidden {
      scanout.isHidden = false
      showAgain(scanout)
    }
  }

  /// The control queue runs again, after a pause or, if `reset` was called in between, for a new driver: what is bound
  /// is shown from the guest's memory again.
  public func restart() {
    guard isStopped else { return }
    isStopped = false
    blankDeadlineNanoseconds = nil
    for scanout in scanouts {
      dropStill(scanout)
      showAgain(scanout)
    }
  }

  /// The VM cannot be served, for that reason; nil: it can be again. For status.
  public func refused(_ reason: String?) {
    refusal = reason
    for scanout in scanouts { reportPath(scanout) }
  }

  /// Changes how long a stopped device's last picture is shown; nil: until it restarts. The time counts from the stop.
  public func blankStopped(afterNanoseconds delay: UInt64?) {
    configuration.stoppedBlankNanoseconds = delay
    if isStopped { blankDeadlineNanoseconds = delay.map { stoppedNanoseconds &+ $0 } }
  }

  /// Blanks stopped scanouts when their time is due.
  func blankStoppedScanouts() {
    guard let deadline = blankDeadlineNanoseconds, clockNanoseconds >= deadline else { return }
    blankDeadlineNanoseconds = nil
    for scanout in scanouts where scanout.still != nil {
      dropStill(scanout)
      blank(scanout)
    }
  }

  func dropStill(_ scanout: ScanoutState) {
    guard let still = scanout.still else { return }
    scanout.still = nil
    if scanout.presented?.resource === still.resource { scanout.presented = nil }
    chargedBytes -= still.resource.privateBytes
    scanout.forget(serial: still.resource.serial)
  }

  private func replaceGuestPages(_ scanout: ScanoutState) {
    guard !isDisplayAway else { return }
    if let still = scanout.still {
      scanout.damage = .full
      presentCopy(scanout, still)
    }
    // Frames without a buffer are presented later; until then the screen must not show the pages.
    if scanout.isShowingGuestPages { blank(scanout) }
  }

  private func blank(_ scanout: ScanoutState) {
    scanout.isShowingGuestPages = false
    if !isDisplayAway { display.disable(scanout: scanout.index) }
    abandonFlushes(scanout)
    if scanout.binding != nil { reportPath(scanout) }
  }

  /// A private copy of a binding's current picture; nil if its pixels cannot be read, or if there is no memory.
  private func makeStill(of binding: Binding) -> Binding? {
    let (width, height) = (binding.source.width, binding.source.height)
    let byteCount = width * height * PixelFormat.bytesPerPixel
    guard binding.resource.isReadable, isWithinLimit(byteCount),
      let copy = PrivatePicture(width: width, height: height)
    else { return nil }
    // SAFETY: the copy has the size of the source, which was checked to be inside the picture.
    unsafe binding.resource.copy(
      binding.source, of: binding.picture, to: copy.base, destinationStrideBytes: copy.strideBytes, ledger: &ledger,
      workers: workers)
    let picture = Picture(
      width: width, height: height, strideBytes: copy.strideBytes, offset: 0, format: binding.picture.format)
    lastSerial += 1
    let resource = Resource(id: 0, serial: lastSerial, kind: .image, picture: picture)
    resource.privatePicture = copy
    chargedBytes += resource.privateBytes
    return Binding(resource: resource, source: picture.bounds, picture: picture)
  }
}
