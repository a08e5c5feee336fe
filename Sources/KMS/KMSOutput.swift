import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
public import Outputs
public import Scanout

/// A CRTC of a card with its connector and planes.
///
/// Every commit is atomic and nonblocking and ends with the kernel's flip event. If the driver has no vblank, a timer
/// at the mode's rate replaces it, so that clients are paced there too.
public final class KMSOutput: Output {
  let card: KMSCard
  let device: CardDevice
  let pipeline: Pipeline
  let wantedMode: DisplayMode?
  let saved: SavedState
  private var monitor: PluggedMonitor
  var mode: KMSMode
  /// The rate of the mode at opening, or of the preferred mode of a monitor plugged in later; guests' modes stay near
  /// it.
  private(set) var homeMillihertz: Int
  var modeBlob: PropertyBlob
  var request = AtomicRequest()
  var writeback: Writeback?
  /// The lowest rate at which the monitor follows commits, in frames per 1000 seconds; nil without variable refresh.
  var variableFloor: Int?
  private var clips = DamageClips()
  private var timerSource: EventLoop.Source?
  /// The scene on screen, or after the pending commit; nil while the CRTC is off.
  var scene: Scene?
  var shown: OutputFrame?
  var progress: CommitProgress
  /// Set from the clearing for a lessee until the output is restored.
  var lease: LeaseState?
  private(set) var cursorSize = 0
  private var isClosed = false

  /// Counters since the output was opened.
  public private(set) var counters = OutputCounters()
  /// The event handler; set once by the owner, and called on the loop's thread.
  public var onEvent: ((OutputEvent) -> Void)?

  /// Takes over the pipeline and shows black on it.
  init(
    card: KMSCard, pipeline: Pipeline, connector: Connector, mode: KMSMode, wanted: DisplayMode?
  ) throws(KMSError) {
    self.card = card
    device = card.device
    self.pipeline = pipeline
    monitor = PluggedMonitor(connector)
    self.mode = mode
    homeMillihertz = mode.mode.refreshMillihertz
    wantedMode = wanted
    saved = try SavedState(card.device, pipeline, planes: card.topology.planes)
    let black: KMSBuffer
    do throws(SystemError) {
      modeBlob = try PropertyBlob(card.device, mode: mode)
      progress = try CommitProgress()
      black = try KMSBuffer.dumb(
        card.device, width: mode.mode.width, height: mode.mode.height, format: .xrgb8888,
        fourcc: PixelFormat.xrgb8888.fourcc)
    } catch {
      throw .system(error)
    }
    try showFirst(black)
    progress.start(device, pipeline.crtc.id, mode.mode)
    cursorSize = findCursorSize()
    findVariableFloor()
    do {
      timerSource = try card.loop.add(progress.timer.fd.raw) { [weak self] _ in self?.timerFired() }
    } catch {
      throw .system(error)
    }
  }

  deinit { close() }

  /// The current description.
  public var info: OutputInfo {
    let about = connector.description
    var info = OutputInfo(
      name: about.name, kind: .kms, connected: isConnected && !isClosed, mode: mode.mode, modes: about.modes,
      widthMillimetres: about.widthMillimetres, heightMillimetres: about.heightMillimetres, edid: about.edid,
      cursorSize: cursorSize, memoryKind: .dmaBuf)
    info.variableMillihertz = variableMillihertz
    return info
  }

  /// The connector as it was read when a monitor was last plugged in.
  var connector: Connector { monitor.connector }
  /// Whether a monitor is plugged in.
  var isConnected: Bool { monitor.isConnected }

  /// The current mode.
  public var currentMode: DisplayMode { mode.mode }

  /// Whether this output is that connector of that card.
  public func isOf(_ card: KMSCard, connector name: String) -> Bool {
    self.card === card && connector.description.name == name
  }

  /// Whether the last commit is not on screen yet.
  public var isCommitPending: Bool { progress.isUnderWay }

  /// Shows the frame at the next vblank. Returns at once.
  public func commit(_ frame: OutputFrame, fit: FitMethod) throws(OutputError) {
    try checkUsable()
    if progress.isUnderWay { throw .busy }
    if lease != nil { throw .rejected("\(connector.description.name) is leased") }
    guard let picture = frame.buffer else {
      try goDark(frame)
      return
    }
    let placed = try place(picture, frame.source, fit)
    let next = Scene(
      primary: placed.plane, cursor: try place(frame.cursor), overlays: try place(frame.overlays),
      isVariable: frame.isVariable && variableMillihertz != nil)
    if let scene, placed.mode == mode {
      try flip(frame, from: scene, to: next)
    } else {
      try modeset(frame, to: next, mode: placed.mode)
    }
    counters.commits &+= 1
  }

  /// Restores the former picture and releases the connector, the CRTC and all buffers.
  public func close() {
    if isClosed { return }
    isClosed = true
    progress.cancel()
    if let timerSource { card.loop.remove(timerSource) }
    timerSource = nil
    endLeaseForGood()
    saved.restore(device, pipeline, writeback: writeback, request: &request)
    writeback = nil
    scene = nil
    shown = nil
    card.closed(crtcID: pipeline.crtc.id)
  }

  func checkUsable() throws(OutputError) {
    if isClosed { throw .gone("\(connector.description.name) is closed") }
    if card.isGone { throw .gone("\(card.path) is gone") }
    if !isConnected { throw .gone("\(connector.description.name) is unplugged") }
    if card.isGivenUp { throw .gone("\(connector.description.name) is not used while another console is shown") }
  }

  // MARK: Commits

  private func flip(_ frame: OutputFrame, from last: Scene, to next: Scene) throws(OutputError) {
    let redraws = !frame.damage.isEmpty
    var blob: UInt32?
    if redraws && pipeline.primaryProperties.damageClips != nil && !frame.damage.bounds.contains(frame.source) {
      clips.assign(frame.damage)
      blob = clips.makeBlob(device)
    }
    defer { if let blob { _ = drmModeDestroyPropertyBlob(device.fd.raw, blob) } }
    request.reset()
    next.appendFlip(to: &request, pipeline, after: last, redraws: redraws, clips: blob)
    // With variable refresh no vblank can be missed; some drivers need a mode set to switch it.
    let target = next.isVariable ? nil : progress.nextVblank(device, pipeline.crtc.id)
    let changesRate = next.isVariable != last.isVariable
    try submit(flags: changesRate ? UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET) : 0, what: "the frame")
    scene = next
    progress.begin(frame, target: target)
  }

  private func modeset(_ frame: OutputFrame, to next: Scene, mode wanted: KMSMode) throws(OutputError) {
    let blob: PropertyBlob
    do { blob = try PropertyBlob(device, mode: wanted) } catch { throw .system(error) }
    request.reset()
    next.appendModeset(to: &request, pipeline, modeBlob: blob.id)
    try submit(flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET), what: "the mode \(wanted.mode)")
    modeBlob = blob
    if mode != wanted {
      mode = wanted
      progress.changeMode(wanted.mode)
    }
    scene = next
    progress.begin(frame)
  }

  private func goDark(_ frame: OutputFrame) throws(OutputError) {
    let now = monotonicNanoseconds()
    if scene == nil {
      // Already off: the commit ends at the next vblank that would have been.
      progress.begin(frame, waitsForKernel: false)
      progress.timer.arm(deadlineNanoseconds: now + mode.mode.periodNanoseconds)
      return
    }
    request.reset()
    writeback?.appendDetach(to: &request)
    // With the mode kept, some drivers would require a picture for the inactive CRTC.
    pipeline.appendOff(to: &request)
    try submit(flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET), what: "turning off")
    scene = nil
    writeback = nil
    progress.begin(frame)
    counters.commits &+= 1
    // Some drivers do not send the event of a CRTC that is turned off.
    progress.timer.arm(deadlineNanoseconds: now + KMSOutput.darkTimeoutNanoseconds)
  }

  /// How long the kernel may take to report that a CRTC is off.
  private static let darkTimeoutNanoseconds: UInt64 = 300_000_000

  func submit(flags: UInt32, what: String) throws(OutputError) {
    var code = trySubmit(flags: flags)
    if code == EBUSY {
      // No commit of this output is pending: another output's mode set holds the CRTC, for a bounded time.
      code = request.submit(device, flags: flags | UInt32(DRM_MODE_PAGE_FLIP_EVENT), userData: progress.number)
    }
    if code != 0 { throw outputError(code, what) }
  }

  /// Submits the request as the next commit without waiting; 0 or the errno.
  func trySubmit(flags: UInt32) -> Int32 {
    let always = UInt32(DRM_MODE_PAGE_FLIP_EVENT) | UInt32(DRM_MODE_ATOMIC_NONBLOCK)
    return request.submit(device, flags: flags | always, userData: progress.nextNumber())
  }

  // MARK: Ends of commits

  /// Handles the kernel's flip event for this CRTC.
  func flipped(_ flip: PageFlip) {
    if let end = progress.flipped(flip) { finish(end) }
  }

  private func timerFired() {
    guard progress.timer.drain() > 0, progress.isUnderWay else { return }
    if lease?.restoring != nil { return restore() }
    if let end = progress.timerExpired() { finish(end) }
  }

  private func finish(_ end: CommitProgress.End) {
    if end.isLate { counters.missedVblanks &+= 1 }
    shown = end.frame
    onEvent?(.flipped(timeNanoseconds: end.timeNanoseconds, sequence: end.sequence))
  }

  // MARK: Plugging

  /// The connector was read again; nil if it no longer exists.
  func connectorChanged(_ read: Connector?) {
    if isClosed { return }
    let change = monitor.update(read)
    if isConnected { findVariableFloor() }
    switch change {
    case .none: return
    case .unplugged:
      // A monitor may disconnect briefly during a mode set; then its lessee keeps the lease.
      if lease == nil || lease?.restoring != nil { switchOff() }
    case .other: break
    }
    if isConnected, !connector.modes.contains(mode) {
      mode =
        (try? KMSMode.choose(wantedMode, from: connector.modes, connector: connector.description.name))
        ?? connector.modes.first ?? mode
      homeMillihertz = mode.mode.refreshMillihertz
      progress.changeMode(mode.mode)
      // The next commit sets the mode.
      scene = nil
    }
    onEvent?(.changed)
  }

  /// Turns the CRTC off at once; the next commit sets the mode.
  func switchOff() {
    request.reset()
    writeback?.appendDetach(to: &request)
    pipeline.appendOff(to: &request)
    writeback = nil
    _ = request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
    scene = nil
    if !progress.isUnderWay { shown = nil }
  }

  // MARK: Start

  private func showFirst(_ black: KMSBuffer) throws(KMSError) {
    let first = Scene(
      primary: PlaneScene(framebufferID: black.framebufferID, source: black.layout.bounds, x: 0, y: 0), cursor: nil)
    request.reset()
    saved.appendTakingOver(to: &request, keeping: pipeline.planeIDs)
    first.appendModeset(to: &request, pipeline, modeBlob: modeBlob.id)
    let code = request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
    guard code == 0 else {
      throw .rejected(
        "\(mode.mode) on \(connector.description.name)", SystemError(call: "DRM_IOCTL_MODE_ATOMIC", code: code))
    }
    scene = first
    shown = OutputFrame(buffer: black, source: black.layout.bounds, damage: DamageRegion(), cursor: nil)
  }
}
