import DaemonSettings
import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// The present loop of one output: the scanouts that share it, the picture on screen and the pending commit.
///
/// `OutputScheduler` decides which frames are shown and when; this carries it out. At most one commit is pending. Each
/// scanout's newest frame waits; it supersedes an older one and takes over its damage. Without a change there is no
/// commit.
final class Presenter {
  let output: any Output
  /// The output's unique name in the protocol.
  let name: String
  /// Whether this is a stand-in for a missing monitor.
  let isFallback: Bool
  /// The mode that clients receive as preferred.
  var homeMode: DisplayMode
  /// The scanouts on the output, in order of arrival.
  var views: [SurfaceView] = []
  var sharing = OutputSharing()
  /// Limits for a VM that has the output to itself.
  var limits = ExclusiveLimits()
  var leasing = Leasing()

  var schedule: OutputSchedule
  /// Decided work that is not finished.
  var work = DecidedWork()
  var onScreen = Picture()
  var inFlight: Picture?
  /// The previous picture's storage, reused for the next one.
  var spare = Picture()
  var lastSequence: UInt64 = 0

  var composition: Composition
  var variableRate: VariableRate

  var power = PowerControl()
  var answers = DeferredAnswers()
  /// Logs a line that does not concern a client.
  var log: (String) -> Void = { _ in }
  /// Called when a lessee has left and there may be room for a surface.
  var onRoom: () -> Void = {}

  let loop: EventLoop
  let clock: PresentClock
  let budget: PaintBudget
  /// The copy rate used for the last declaration of promises.
  var declaredPicosecondsPerByte = OutputSchedule.picosecondsPerByte
  /// Threads for large copies, shared by all outputs.
  let workers: CopyWorkers
  private var isRunning = false
  private var lastVM: UInt32 = 0
  private var lastFrame: UInt64 = 0

  init(
    _ output: any Output, name: String, isFallback: Bool = false, loop: EventLoop, clock: PresentClock,
    budget: PaintBudget, workers: CopyWorkers
  ) throws(SystemError) {
    self.budget = budget
    self.workers = workers
    self.output = output
    self.name = name
    self.isFallback = isFallback
    self.loop = loop
    self.clock = clock
    let info = output.info
    homeMode = info.mode
    variableRate = VariableRate(info)
    composition = .direct(DirectComposition(output, name: name, workers: workers))
    schedule = OutputSchedule(info.mode, clock)
    try schedule.start(on: loop) { [unowned self] in run() }
  }

  /// Closes the output.
  func close() {
    schedule.close()
    power.close()
    output.onEvent = nil
    output.close()
  }

  var now: Nanoseconds { Nanoseconds(truncatingIfNeeded: clock.nowNanoseconds) }

  /// Whether tiles are composed into one picture. Otherwise one scanout's frames are scanned out directly if possible.
  var isTiled: Bool { sharing.isTiled }

  /// The scanout that has the output to itself.
  var focusedView: SurfaceView? {
    if sharing.isExclusive { return schedule.state.grant.holder.flatMap { view($0) } }
    return isTiled ? nil : views.first
  }

  /// The mode to keep while the focus may change, because a mode set takes a monitor about a second. `nil` for a sole
  /// scanout: the output then uses its guest's mode.
  var keptMode: DisplayMode? { views.count > 1 ? homeMode : nil }

  /// Creates the composition for the current sharing, without buffers.
  func makeComposition() -> Composition {
    if !isTiled { return .direct(DirectComposition(output, name: name, workers: workers)) }
    return .tiled(
      TiledComposition(output, workers: workers) { [unowned self] view in
        setPath(view.plane.index == nil ? .blit : .plane, of: view)
        redraw()
      })
  }

  func view(_ id: VMID) -> SurfaceView? {
    for view in views where view.id == id { return view }
    return nil
  }

  func nextVMID() -> VMID {
    lastVM &+= 1
    return VMID(lastVM)
  }

  func nextFrameID() -> FrameID {
    lastFrame += 1
    return FrameID(lastFrame)
  }

  // MARK: - The scheduler's clock

  /// Does all due work and arms the timer for the next.
  func run() {
    if isRunning { return }
    isRunning = true
    defer { isRunning = false }
    if variableRate.rule != .off { updateVariableRefresh() }
    // Bounded, so that the loop can handle other events.
    for _ in 0..<64 {
      if !answers.isEmpty { answers.sendDue(at: now) }
      let isFree = work.isEmpty || carryOut()
      // A commit that was decided on comes before a lease.
      if isFree, !leasing.lessees.isEmpty { settleLease() }
      if !isFree { return schedule.arm(nil) }
      let now = now
      guard let wake = nextWake else { return }
      if wake > now { return schedule.arm(wake) }
      // The flip of a commit that is no longer tracked must arrive first.
      if inFlight == nil, output.isCommitPending { return }
      let holder = sharing.isExclusive ? schedule.state.grant.holder : nil
      accept(schedule.decide { $0.wake(at: $1, into: &$2) })
      let hasLost = sharing.isExclusive && schedule.state.grant.holder != holder
      if !work.isEmpty { carryOut() }
      // A VM that lost the output goes back into the queue.
      if hasLost { queueAll() }
    }
    schedule.arm(nil)
  }

  private var nextWake: Nanoseconds? {
    guard !answers.isEmpty, let owed = answers.nextDue else { return schedule.state.nextWake }
    return min(owed, schedule.state.nextWake ?? .max)
  }

  /// Handles a changed output, whose capabilities must be tested again.
  func outputChanged() {
    composition.outputChanged()
    let info = output.info
    variableRate.take(info)
    if !info.modes.contains(homeMode) { homeMode = info.modes.first ?? info.mode }
    schedule.update { $0.setTiming(OutputSchedule.timing(of: info.mode), at: $1) }
    // The flip of a commit lost with the monitor never arrives.
    if !output.isCommitPending, var lost = inFlight.take() {
      for entry in lost.entries { entry.reportTo?.frameDone(entry.frame.number, .rejected) }
      lost.endUse()
      for view in views { view.needsFullDamage = true }
      abandonCommit()
    }
    arrange()
    run()
  }
}
