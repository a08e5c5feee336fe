import DaemonSettings
import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// The present loop of one output: the scanouts that share it, what is on screen and what is on its way there.
///
/// `OutputScheduler` decides who is shown and when; this does it. At most one commit is under way. Of each scanout the
/// newest frame waits; one that it replaces is superseded, and its damage added. No change, no commit.
final class Presenter {
  /// A client's frame.
  struct Frame {
    var buffer: ClientBuffer
    var number: UInt64
    var source: Rect
    /// In the buffer's pixels; everything is the source itself.
    var damage: DamageRegion
    /// CLOCK_MONOTONIC when the guest handed it over; nil where the client did not say.
    var readyNanoseconds: UInt64?

    /// Takes over the damage of an older frame that is not shown because of this one.
    mutating func supersede(_ older: Frame) {
      if older.source == source && older.buffer.buffer.layout == buffer.buffer.layout {
        damage.add(older.damage)
      } else {
        damage = DamageRegion(source)
      }
    }
  }

  /// A client's cursor, in the frame's pixels.
  struct Cursor {
    var buffer: ClientBuffer
    var x: Int
    var y: Int
  }

  let output: any Output
  /// What it is called in the protocol; unique among the outputs.
  let name: String
  /// Whether it stands in for a monitor.
  let isFallback: Bool
  /// The mode that clients are told: their preferred one.
  var homeMode: DisplayMode
  /// Who is on it, in the order in which they came.
  var tiles: [Tile] = []
  var sharing = OutputSharing()
  /// How long one may have it to itself.
  var limits = ExclusiveLimits()
  var leasing = Leasing()

  var scheduler: OutputScheduler
  var decisions = FrameDecisions()
  /// What was decided and is not carried out yet.
  var work = DecidedWork()
  var onScreen = Picture()
  var inFlight: Picture?
  /// The last picture's storage, for the next one.
  var spare = Picture()
  var lastSequence: UInt64 = 0

  var composition: Composition
  var variableRate: VariableRate

  var power = PowerControl()
  var answers = DeferredAnswers()
  /// Takes one line for an event that no client is to blame for.
  var log: (String) -> Void = { _ in }
  /// Called when a surface may have found room here: a lessee has left.
  var onRoom: () -> Void = {}

  let loop: EventLoop
  let clock: PresentClock
  let budget: PaintBudget
  /// The rate of copies by which promises were declared last.
  var declaredPicosecondsPerByte = Presenter.picosecondsPerByte
  /// Threads for large copies, of all outputs.
  let workers: CopyWorkers
  /// For what is due next; it may be set to an earlier time.
  private var timer: PresentTimer?
  private var isRunning = false
  private var lastVM: UInt32 = 0
  private var lastFrame: UInt64 = 0

  /// Blit time of one byte until it is measured, in picoseconds: 4 GB a second.
  static let picosecondsPerByte: Int64 = 250

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
    scheduler = Presenter.makeScheduler(info.mode)
    timer = try clock.timer(on: loop) { [unowned self] in run() }
  }

  static func makeScheduler(_ mode: DisplayMode) -> OutputScheduler {
    var configuration = SchedulerConfiguration()
    configuration.picosecondsPerByte = picosecondsPerByte
    configuration.commitsSoleFramesAtOnce = true
    configuration.releasesSeenFrames = false
    // Clients that hurry are held back where their messages are read.
    configuration.commandRate = 1_000_000
    configuration.commandBurst = 100_000
    do {
      return try OutputScheduler(timing: timing(of: mode), policy: .hybrid, configuration: configuration)
    } catch {
      preconditionFailure("the scheduler refuses its constants: \(error)")
    }
  }

  static func timing(of mode: DisplayMode) -> OutputTiming {
    let rate = min(max(Int64(mode.refreshMillihertz), 1_000), 1_000_000)
    do { return try OutputTiming(refreshMillihertz: rate) } catch { preconditionFailure("\(error)") }
  }

  /// Lets go of the output.
  func close() {
    timer = nil
    power.close()
    output.onEvent = nil
    output.close()
  }

  var now: Nanoseconds { Nanoseconds(truncatingIfNeeded: clock.nowNanoseconds) }

  /// Whether tiles are painted into one picture; else one scanout's frames go to the output as they are.
  var isTiled: Bool { sharing.isTiled }

  /// The scanout that has the output to itself.
  var focusedTile: Tile? {
    if sharing.isExclusive { return scheduler.grant.holder.flatMap { tile($0) } }
    return isTiled ? nil : tiles.first
  }

  /// The mode to stay in where the focus may change at any time: a monitor takes a second for a mode set. `nil` for a
  /// scanout that has the output to itself, whose guest's mode is the monitor's.
  var keptMode: DisplayMode? { tiles.count > 1 ? homeMode : nil }

  /// The composition that the sharing asks for, without any buffers.
  func makeComposition() -> Composition {
    if !isTiled { return .direct(DirectComposition(output, name: name, workers: workers)) }
    return .tiled(
      TiledComposition(output, workers: workers) { [unowned self] tile in
        scheduler.setPath(tile.plane.index == nil ? .blit : .plane, of: tile.id, at: now)
        scheduler.invalidate(repeatingFrames: false, at: now)
      })
  }

  func tile(_ id: VMID) -> Tile? {
    for tile in tiles where tile.id == id { return tile }
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

  /// Does what is due, and sets the timer to what is due next.
  func run() {
    if isRunning { return }
    isRunning = true
    defer { isRunning = false }
    if variableRate.rule != .off { updateVariableRefresh() }
    // A bounded number of decisions, so that the loop's other events get their turn.
    for _ in 0..<64 {
      if !leasing.lessees.isEmpty { settleLease() }
      if !answers.isEmpty { answers.sendDue(at: now) }
      if !work.isEmpty, !carryOut() { return timer?.arm(clock.nowNanoseconds) ?? () }
      let now = now
      guard let wake = nextWake else { return }
      if wake > now {
        timer?.arm(UInt64(wake))
        return
      }
      // A commit of which nothing is known any more: its flip comes first.
      if inFlight == nil, output.isCommitPending { return }
      let holder = scheduler.grant.holder
      scheduler.wake(at: now, into: &decisions)
      let hasLost = scheduler.grant.holder != holder
      apply()
      // Whose time is over waits for its next turn.
      if hasLost { queueAll() }
    }
    timer?.arm(clock.nowNanoseconds)
  }

  private var nextWake: Nanoseconds? {
    guard !answers.isEmpty, let owed = answers.nextDue else { return scheduler.nextWake }
    return min(owed, scheduler.nextWake ?? .max)
  }

  /// The output has changed: what it can show must be asked again.
  func outputChanged() {
    composition.outputChanged()
    let info = output.info
    variableRate.take(info)
    if !info.modes.contains(homeMode) { homeMode = info.modes.first ?? info.mode }
    scheduler.setTiming(Presenter.timing(of: info.mode), at: now)
    // A commit that went down with the monitor is never told of.
    if !output.isCommitPending, var lost = inFlight.take() {
      for entry in lost.entries { entry.reportTo?.frameDone(entry.frame.number, .rejected) }
      lost.endUse()
      for tile in tiles { tile.needsFullDamage = true }
      abandonCommit()
    }
    arrange()
    run()
  }
}
