import CDRM
import GraphicsMemory
import LinuxIO
public import Outputs
import Scanout

/// What an output showed before it was cleared for a lessee, to be shown again.
struct LeaseState {
  let scene: Scene?
  /// Holds the scene's buffers.
  let shown: OutputFrame?
  let properties: SavedProperties
  /// The kernel's number; nil before the lease is made.
  var lesseeID: UInt32?
  /// What the commit that puts everything back still has to try; nil while the lease is out.
  var restoring: Restoring?

  /// Ways to put an output back, the fullest first.
  enum Restoring {
    /// Picture, mode and every property that the lessee has set.
    case all
    /// Picture and mode only: the driver refuses one of those properties.
    case picture
    /// Everything off: the driver refuses the picture.
    case off
  }
}

extension KMSOutput {
  /// Why it cannot be leased now; nil where it can.
  public var leaseObjection: String? {
    do throws(OutputError) { try checkUsable() } catch { return error.description }
    return nil
  }

  /// Takes frames, cursor and overlays off the screen: a lessee that knows only the primary plane has it to itself, and
  /// what a VM showed last is no lessee's business. A commit like any other: `.flipped` follows unless the screen is off
  /// already.
  public func clearForLease() throws(OutputError) {
    if let leaseObjection { throw .rejected(leaseObjection) }
    if pending != nil || lease != nil { throw .busy }
    let before = LeaseState(scene: scene, shown: shown, properties: SavedProperties(device, pipeline))
    guard let last = scene else {
      lease = before
      return
    }
    let fourcc = try planeFormat(for: .xrgb8888)
    let black: KMSBuffer
    do throws(SystemError) {
      black = try KMSBuffer.dumb(
        device, width: mode.mode.width, height: mode.mode.height, format: .xrgb8888, fourcc: fourcc)
    } catch {
      throw .system(error)
    }
    let cleared = Scene(
      primary: PlaneScene(framebufferID: black.framebufferID, source: black.layout.bounds, x: 0, y: 0), cursor: nil)
    request.reset()
    // Two connectors on a CRTC, one of them not the lessee's, would be in the way of its mode sets.
    writeback?.appendDetach(to: &request)
    if writeback == nil {
      cleared.appendFlip(to: &request, pipeline, after: last, redraws: true, clips: 0)
    } else {
      cleared.appendModeset(to: &request, pipeline, modeBlob: modeBlob.id)
    }
    try submit(
      flags: writeback == nil ? 0 : UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET), what: "the black picture for a lessee")
    lease = before
    writeback = nil
    scene = cleared
    let frame = OutputFrame(buffer: black, source: black.layout.bounds, damage: DamageRegion(), cursor: nil)
    pending = PendingCommit(frame: frame, target: nil, waitsForKernel: true)
  }

  /// Leases connector, CRTC and all planes of the output, which `clearForLease` has cleared.
  public func makeLease() throws(OutputError) -> OutputLease {
    guard lease != nil, lease?.lesseeID == nil, pending == nil else { throw .busy }
    let objects = [pipeline.connectorID, pipeline.crtc.id] + pipeline.planeIDs
    do throws(DRMLeaseError) {
      let made = try DRMLease(of: device, objects: objects)
      let lesseeID = made.lesseeID
      lease?.lesseeID = lesseeID
      return OutputLease(
        descriptor: SharedFD(made.takeDescriptor()), lesseeID: lesseeID, connectorID: pipeline.connectorID,
        crtcID: pipeline.crtc.id, planeID: pipeline.primary.id)
    } catch {
      throw .rejected(error.description)
    }
  }

  /// Takes the lease back and shows again, in its own mode, what was on screen before: a commit that waits for nobody,
  /// whose end `.flipped` tells of. Until then the output is busy.
  ///
  /// - Parameter showsPicture: false where that picture is nobody's any more: the output goes dark.
  public func endLease(showsPicture: Bool) {
    guard let ended = lease, ended.restoring == nil else { return }
    revoke(ended)
    // Another monitor has set the scene to nil: the modes are others, and the next frame finds one.
    let before = showsPicture && isConnected && scene != nil ? ended.scene : nil
    let nothing = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
    scene = before
    lease?.restoring = .all
    pending = PendingCommit(
      frame: before == nil ? nothing : ended.shown ?? nothing, target: nil, waitsForKernel: true)
    restore()
  }

  private func revoke(_ ended: LeaseState) {
    guard let lesseeID = ended.lesseeID else { return }
    // It fails where the lessee is gone, or the card.
    do throws(DRMLeaseError) { try device.revokeLease(lesseeID) } catch {}
  }

  /// Tries to put everything back; while a commit of the lessee's is under way, again after a frame.
  func restore() {
    guard let state = lease, let way = state.restoring else { return }
    var blobs: [BlobOwner] = []
    request.reset()
    if let scene {
      scene.appendModeset(to: &request, pipeline, modeBlob: modeBlob.id)
    } else {
      pipeline.appendOff(to: &request)
    }
    if way == .all { state.properties.appendChanged(device, pipeline, to: &request, blobs: &blobs) }
    // A CRTC that was off and stays so has no event.
    let (isDark, flags) = (scene == nil, UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
    let code =
      isDark ? request.submit(device, flags: flags | UInt32(DRM_MODE_ATOMIC_NONBLOCK)) : trySubmit(flags: flags)
    pending?.waitsForKernel = !isDark
    var isTimed = isDark
    switch (code, way) {
    case (0, _): lease = nil
    case (KMSOutput.busyCode, _): isTimed = true
    case (_, .all):
      lease?.restoring = .picture
      return restore()
    case (_, .picture):
      lease?.restoring = .off
      scene = nil
      return restore()
    case (_, .off):
      // The card is gone, or another's: the next commit fails and says why.
      lease = nil
    }
    if isTimed { timer.arm(deadlineNanoseconds: monotonicNanoseconds() + mode.mode.periodNanoseconds) }
  }

  /// Lessees of the card have changed: ends the lease whose last descriptor was closed.
  func checkLease(lessees: [UInt32]) {
    guard let lease, lease.restoring == nil, let lesseeID = lease.lesseeID, !lessees.contains(lesseeID) else { return }
    onEvent?(.leaseEnded)
  }

  /// For the end of the output: nobody has it any more, and its properties are as they were.
  func endLeaseForGood() {
    guard let ended = lease else { return }
    lease = nil
    revoke(ended)
    var blobs: [BlobOwner] = []
    request.reset()
    pipeline.appendOff(to: &request)
    ended.properties.appendChanged(device, pipeline, to: &request, blobs: &blobs)
    _ = request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
    scene = nil
  }

  /// The mode that the CRTC is in, whoever has set it; nil while it is off.
  ///
  /// The corresponding C function is `drmModeGetCrtc`.
  var currentSize: (width: Int, height: Int)? {
    guard let crtc = unsafe drmModeGetCrtc(device.fd.raw, pipeline.crtc.id) else { return nil }
    defer { unsafe drmModeFreeCrtc(crtc) }
    guard unsafe crtc.pointee.mode_valid != 0 else { return nil }
    return unsafe (Int(crtc.pointee.mode.hdisplay), Int(crtc.pointee.mode.vdisplay))
  }
}
