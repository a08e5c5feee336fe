import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
public import Outputs
import Scanout

/// The state of an output from before it was cleared for a lessee.
struct LeaseState {
  let scene: Scene?
  /// Keeps the scene's buffers alive.
  let shown: OutputFrame?
  let properties: SavedProperties
  /// The kernel's lessee id; nil before the lease is made.
  var lesseeID: UInt32?
  /// How far the restoring commit has to fall back; nil during the lease.
  var restoring: Restoring?

  /// The ways to restore an output, the most complete first.
  enum Restoring {
    /// Picture, mode and every property that the lessee changed.
    case all
    /// Picture and mode only: the driver refuses one of the properties.
    case picture
    /// Turn everything off: the driver refuses the picture.
    case off
  }
}

extension KMSOutput {
  /// The reason why the output cannot be leased now; nil if it can.
  public var leaseObjection: String? {
    do throws(OutputError) { try checkUsable() } catch { return error.description }
    return nil
  }

  /// Clears frame, cursor and overlays: a lessee that uses only the primary plane sees nothing else on screen, and
  /// must not see a VM's last picture. A commit like any other: `.flipped` follows unless the output is off already.
  public func clearForLease() throws(OutputError) {
    if let leaseObjection { throw .rejected(leaseObjection) }
    if progress.isUnderWay || lease != nil { throw .busy }
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
    // A second connector on the CRTC that is not leased would block the lessee's mode sets.
    writeback?.appendDetach(to: &request)
    if writeback == nil {
      cleared.appendFlip(to: &request, pipeline, after: last, redraws: true, clips: nil)
    } else {
      cleared.appendModeset(to: &request, pipeline, modeBlob: modeBlob.id)
    }
    try submit(
      flags: writeback == nil ? 0 : UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET), what: "the black picture for a lessee")
    lease = before
    writeback = nil
    scene = cleared
    let frame = OutputFrame(buffer: black, source: black.layout.bounds, damage: DamageRegion(), cursor: nil)
    progress.begin(frame)
  }

  /// Leases connector, CRTC and all planes of the output after `clearForLease`.
  public func makeLease() throws(OutputError) -> OutputLease {
    guard lease != nil, lease?.lesseeID == nil, !progress.isUnderWay else { throw .busy }
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

  /// Ends the lease and restores the former picture in its own mode. This commit does not wait for the lessee;
  /// `.flipped` reports its end, and until then the output is busy.
  ///
  /// - Parameter showsPicture: false if the saved picture's owner is gone; the output is blanked.
  public func endLease(showsPicture: Bool) {
    guard let ended = lease, ended.restoring == nil else { return }
    revoke(ended)
    // Another monitor was plugged in: its modes differ, and the next frame selects one.
    let before = showsPicture && isConnected && scene != nil ? ended.scene : nil
    let nothing = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
    scene = before
    lease?.restoring = .all
    progress.begin(before == nil ? nothing : ended.shown ?? nothing)
    restore()
  }

  private func revoke(_ ended: LeaseState) {
    guard let lesseeID = ended.lesseeID else { return }
    // Fails if the lessee or the card is gone.
    do throws(DRMLeaseError) { try device.revokeLease(lesseeID) } catch {}
  }

  /// Tries to restore the output; if a commit of the lessee is pending, tries again after one frame.
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
    // A CRTC that is off and stays off sends no event.
    let (isDark, flags) = (scene == nil, UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
    let code =
      isDark ? request.submit(device, flags: flags | UInt32(DRM_MODE_ATOMIC_NONBLOCK)) : trySubmit(flags: flags)
    progress.resubmitted(waitsForKernel: !isDark)
    var isTimed = isDark
    switch (code, way) {
    case (0, _): lease = nil
    case (EBUSY, _): isTimed = true
    case (_, .all):
      lease?.restoring = .picture
      return restore()
    case (_, .picture):
      lease?.restoring = .off
      scene = nil
      return restore()
    case (_, .off):
      // The card is gone or has another master: the next commit fails with the reason.
      lease = nil
    }
    if isTimed { progress.timer.arm(deadlineNanoseconds: monotonicNanoseconds() + mode.mode.periodNanoseconds) }
  }

  /// Called when the card's lessees changed: ends the lease if its last descriptor was closed.
  func checkLease(lessees: [UInt32]) {
    guard let lease, lease.restoring == nil, let lesseeID = lease.lesseeID, !lessees.contains(lesseeID) else { return }
    onEvent?(.leaseEnded)
  }

  /// Ends the lease when the output closes, and restores its properties.
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

  /// The size of the CRTC's mode, whether set by the daemon or a lessee; nil while it is off.
  ///
  /// The corresponding C function is `drmModeGetCrtc`.
  var currentSize: (width: Int, height: Int)? {
    guard let crtc = unsafe drmModeGetCrtc(device.fd.raw, pipeline.crtc.id) else { return nil }
    defer { unsafe drmModeFreeCrtc(crtc) }
    guard unsafe crtc.pointee.mode_valid != 0 else { return nil }
    return unsafe (Int(crtc.pointee.mode.hdisplay), Int(crtc.pointee.mode.vdisplay))
  }
}
