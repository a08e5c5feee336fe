public import HybridRegion
public import LinuxIO
public import PresentClient
import PresentProtocol
import Scanout

/// A region and its guest; the daemon serves the region.
///
/// Owned by the loop's thread. The daemon takes the frames from the region itself and is woken by the guest: this
/// process takes no part in a frame. While no daemon is running, it is the region's host: guests continue at 20 frames
/// a second, and the newest frame is kept for the daemon.
public final class RegionSession {
  /// The region.
  public let memory: SharedFD
  /// The layout of the region.
  public let layout: RegionLayout
  /// The connection to the daemon.
  public let client: PresentClient
  /// The guest raises it.
  public let hostDoorbell: EventFD
  /// The host raises it for a guest that listens.
  public let guestDoorbell: EventFD
  /// The VM's name.
  public let name: String

  private let loop: EventLoop
  private let log: (String) -> Void
  private let sharesClock: Bool
  private let isPrivate: Bool
  /// Nil while the daemon serves the region.
  private var host: RegionHost?
  /// The output's mode, from the daemon's OUTPUT.
  private var output: RegionOutput?
  /// The last presented frame, while its slot is held.
  private var newest: RegionFrame?
  /// Bit k is set if the guest has the DONE of the frame in slot k.
  private var toldSlots: UInt64 = 0
  /// Superseded slots to release at the next tick, which paces the guest.
  private var waitingReleases: UInt64 = 0
  private var pace = PollingPace()
  private var lastRepair: UInt64 = 0
  private var isRingDue = false
  private let pollTimer: TimerFD
  private let holdTimer: TimerFD
  private var doorbellSource: EventLoop.Source?
  private var timerSources: [EventLoop.Source] = []
  private var refusals = RefusalLog()

  /// Creates the region.
  ///
  /// - Parameters:
  ///   - daemonPath: the daemon's socket.
  ///   - output: the output's name; empty for any free one.
  ///   - sharesClock: whether the guest is a process of this machine.
  ///   - isPrivate: whether only this user has the guest's doorbell. Otherwise the daemon does not raise it: another
  ///     owner of an eventfd can make a write to it block forever.
  ///   - log: gets one line per event; never called for a frame.
  public init(
    loop: EventLoop, name: String, layout: RegionLayout, daemonPath: String, output: String = "",
    sharesClock: Bool = false, isPrivate: Bool = true, log: @escaping (String) -> Void
  ) throws(SystemError) {
    self.loop = loop
    self.name = name
    self.log = log
    self.sharesClock = sharesClock
    self.isPrivate = isPrivate
    self.layout = layout
    memory = SharedFD(try layout.makeMemory())
    hostDoorbell = try EventFD()
    guestDoorbell = try EventFD()
    pollTimer = try TimerFD()
    holdTimer = try TimerFD()
    client = try PresentClient(
      loop: loop, path: daemonPath, hello: Hello(kind: .vm, name: name, scanoutCount: 1, outputs: [output]))
    client.onEvent = { [weak self] event in self?.handle(event) }
  }

  /// Starts to serve.
  public func start() throws(SystemError) {
    timerSources = [
      try loop.add(pollTimer.fd.raw, [.readable, .edge]) { [weak self] _ in self?.tick() },
      try loop.add(holdTimer.fd.raw, [.readable, .edge]) { [weak self] _ in self?.releaseWaiting() },
    ]
    try serve()
    try client.start()
  }

  /// Ends: the daemon frees everything, and the guest reads that no daemon is running.
  public func stop() {
    client.stop()
    // The daemon may not have noticed yet; its only later write is the same state.
    let last = host ?? (try? RegionHost(memory: memory, name: name, layout: layout, sharesClock: sharesClock))
    last?.setState(.ended)
    if last?.guestFlags.contains(.listens) == true { guestDoorbell.signal() }
    host = nil
    stopLooking()
    for source in timerSources { loop.remove(source) }
    timerSources = []
  }

  // MARK: - The daemon

  private func handle(_ event: PresentEvent) {
    switch event {
    case .welcomed: log("\(name): connected to framepathd")
    case .output(let output, _):
      self.output =
        output.connected
        ? RegionOutput(
          width: output.mode.width, height: output.mode.height, refreshMillihertz: output.mode.refreshMillihertz) : nil
      if host != nil { handOver() }
    case .regionNews: guestDoorbell.signal()
    case .frameDone, .released: break
    case .error(let message):
      log("\(name): framepathd: \(message.text)")
      if message.code == .refused { serveAgain() }
    case .lost(let why):
      log("\(name): \(why)")
      serveAgain()
    }
  }

  /// Hands the region over to the daemon.
  private func handOver() {
    host = nil
    newest = nil
    waitingReleases = 0
    isRingDue = false
    stopLooking()
    // If this fails, the end of the connection follows.
    _ = client.attachRegion(
      scanout: 0, memory: memory.raw, regionByteCount: layout.regionByteCount, slotCount: layout.slotCount,
      sharesClock: sharesClock, hostDoorbell: hostDoorbell.fd.raw, guestDoorbell: isPrivate ? guestDoorbell.fd.raw : nil
    )
  }

  private func serveAgain() {
    if host != nil || timerSources.isEmpty { return }
    do throws(SystemError) {
      try serve()
    } catch {
      log("\(name): the region has no host: \(error)")
      pollTimer.arm(deadlineNanoseconds: monotonicNanoseconds() + 1_000_000_000)
    }
  }

  /// Serves the region until there is a daemon.
  private func serve() throws(SystemError) {
    let fresh = try RegionHost(memory: memory, name: name, layout: layout, sharesClock: sharesClock)
    // Each ring is an event of its own (edge-triggered), so the count is never read.
    doorbellSource = try loop.add(hostDoorbell.fd.raw, [.readable, .edge]) { [weak self] _ in self?.look() }
    host = fresh
    fresh.setOutput(output)
    fresh.setState(.waiting)
    toldSlots = 0
    for held in fresh.takeHeldFrames() {
      if held.isTold { toldSlots |= 1 << UInt64(held.slot) }
      if let former = newest { giveUp(former.slot, .lost) }
      newest = held.frame
      if held.frame == nil { giveUp(held.slot, .lost) }
    }
    ringGuest()
    look()
  }

  private func stopLooking() {
    if let source = doorbellSource.take() { loop.remove(source) }
    pollTimer.disarm()
    holdTimer.disarm()
  }

  // MARK: - While there is no daemon

  /// At most once a second: a guest may have overwritten the header, which its next client needs.
  private func tick() {
    guard let host else { return serveAgain() }
    let now = monotonicNanoseconds()
    if now &- lastRepair >= 900_000_000 {
      lastRepair = now
      if host.repair() {
        refusals.add(.torn, now: now) { [name, log] in log("\(name): the region was written over: \($0)") }
      }
    }
    look()
  }

  /// Looks for a client and its frames.
  private func look() {
    guard let host else { return }
    var found = false
    if let change = host.checkAttach() {
      found = true
      attachChanged(change, host)
    }
    let hasMore = host.takeFrames { take in
      found = true
      switch take {
      case .none: break
      case .frame(let frame): keep(frame)
      case .refused(let reason):
        refusals.add(reason, now: monotonicNanoseconds()) { [name, log] in log("\(name): \($0)") }
        ringGuest()
      }
    }
    // A guest that announces more than allowed waits until the loop's other descriptors had their turn.
    if hasMore { hostDoorbell.signal() }
    let now = monotonicNanoseconds()
    let polls = host.isAttached && !host.guestFlags.contains(.rings)
    pollTimer.arm(deadlineNanoseconds: now + pace.next(polls: polls, found: found, now: now))
  }

  private func attachChanged(_ change: RegionAttach, _ host: RegionHost) {
    switch change {
    case .attached(let flags):
      log("\(name): a client has attached\(flags.contains(.rings) ? "" : "; it does not ring, the region is polled")")
    case .detached:
      log("\(name): the client has detached")
      newest = nil
      waitingReleases = 0
      // These slots would not be released otherwise.
      for slot in 0..<layout.slotCount where host.heldSlots >> UInt64(slot) & 1 == 1 { giveUp(slot, .superseded) }
    case .refused(let reason): log("\(name): a client was refused: \(reason)")
    }
    ringGuest()
  }

  /// Keeps the newest frame for the daemon.
  private func keep(_ frame: RegionFrame) {
    let former = newest
    newest = frame
    toldSlots &= ~(1 << UInt64(frame.slot))
    guard let former else { return }
    tell(former.slot, .superseded)
    if waitingReleases == 0 { holdTimer.arm(deadlineNanoseconds: monotonicNanoseconds() + 50_000_000) }
    waitingReleases |= 1 << UInt64(former.slot)
  }

  private func releaseWaiting() {
    for slot in 0..<layout.slotCount where waitingReleases >> UInt64(slot) & 1 == 1 { host?.release(slot) }
    waitingReleases = 0
    ringGuest()
  }

  private func giveUp(_ slot: Int, _ outcome: RegionOutcome) {
    tell(slot, outcome)
    host?.release(slot)
    ringGuest()
  }

  /// Sends the DONE of the frame in a slot, unless the guest has it.
  private func tell(_ slot: Int, _ outcome: RegionOutcome) {
    if toldSlots >> UInt64(slot) & 1 == 1 { return }
    toldSlots |= 1 << UInt64(slot)
    host?.done(slot, outcome)
    ringGuest()
  }

  /// Rings once for all events of this round of the loop.
  private func ringGuest() { if host?.guestFlags.contains(.listens) == true { isRingDue = true } }

  /// Rings for this round's events, before the loop waits.
  func ringNow() {
    if isRingDue { guestDoorbell.signal() }
    isRingDue = false
  }
}
