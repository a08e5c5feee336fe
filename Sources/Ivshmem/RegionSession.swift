import GraphicsMemory
public import HybridRegion
public import LinuxIO
public import PresentClient
import PresentProtocol

/// One region between its guest and the daemon: frames go up, flips and releases come down.
///
/// Owned by the loop's thread. A slot is imported once per layout; its pages are what the output reads, so no byte is
/// copied here. Without a daemon the newest frame is kept, and shown when one comes.
public final class RegionSession {
  /// The host's side of the region.
  public let host: RegionHost
  /// The connection to the daemon.
  public let client: PresentClient
  /// Raised by the guest.
  public let hostDoorbell: EventFD
  /// Raised here, for a guest that listens.
  public let guestDoorbell: EventFD
  /// The VM's name.
  public let name: String

  let loop: EventLoop
  let log: (String) -> Void
  var slots: [SlotState]
  /// The frame presented last, while its slot is the host's.
  var newest: RegionFrame?
  /// Frames that wait for room at the daemon, the oldest first.
  var waitingFrames: [RegionFrame] = []
  /// Frames at the daemon that it has not answered.
  var underWayCount = 0
  var lastFrame: UInt64 = 0
  /// The first frame that counts as under way: answers to former ones come late.
  var firstCountedFrame: UInt64 = 1
  let sharesClock: Bool
  /// Superseded slots to give back at the next tick, while there is no daemon to pace the guest.
  var waitingReleases: UInt64 = 0
  private var pace = PollingPace()
  private var lastRepair: UInt64 = 0
  private var isRingDue = false
  /// Whether the poll timer stands at its longest interval.
  private var isTimerSlow = false
  private let pollTimer: TimerFD
  private let holdTimer: TimerFD
  private var sources: [EventLoop.Source] = []
  var refusals = RefusalLog()

  /// What the session knows of a slot.
  struct SlotState {
    var bufferID: UInt32?
    var layout: FrameLayout?
    /// The daemon's frame number while the slot is the host's; 0: none.
    var frame: UInt64 = 0
    /// Whether the guest knows what became of its frame: it is told once.
    var isTold = false
  }

  /// Makes the region and connects to the daemon.
  ///
  /// - Parameters:
  ///   - daemonPath: the daemon's socket.
  ///   - output: the wished output; empty takes any free one.
  ///   - sharesClock: whether the guest is a process of this machine.
  ///   - log: takes one line per event; never called for a frame.
  public init(
    loop: EventLoop, name: String, layout: RegionLayout, daemonPath: String, output: String = "",
    sharesClock: Bool = false, log: @escaping (String) -> Void
  ) throws(SystemError) {
    self.loop = loop
    self.name = name
    self.log = log
    self.sharesClock = sharesClock
    host = try RegionHost(name: name, layout: layout, sharesClock: sharesClock)
    hostDoorbell = try EventFD()
    guestDoorbell = try EventFD()
    pollTimer = try TimerFD()
    holdTimer = try TimerFD()
    slots = Array(repeating: SlotState(), count: layout.slotCount)
    waitingFrames.reserveCapacity(layout.slotCount)
    client = try PresentClient(
      loop: loop, path: daemonPath, hello: Hello(kind: .vm, name: name, scanoutCount: 1, outputs: [output]))
    client.onEvent = { [weak self] event in self?.handle(event) }
  }

  /// Begins to serve.
  public func start() throws(SystemError) {
    // Each ring is an event of its own, so that the count need not be read for every frame.
    sources.append(try loop.add(hostDoorbell.fd.raw, [.readable, .edge]) { [weak self] _ in self?.look() })
    sources.append(
      try loop.add(pollTimer.fd.raw) { [weak self] _ in
        self?.pollTimer.drain()
        // A counter that somebody filled would take no more rings.
        self?.hostDoorbell.drain()
        self?.isTimerSlow = false
        self?.repair()
        self?.look()
      })
    sources.append(
      try loop.add(holdTimer.fd.raw) { [weak self] _ in
        self?.holdTimer.drain()
        self?.releaseWaiting()
      })
    host.setState(.waiting)
    try client.start()
    look()
  }

  /// Ends: the daemon frees everything, and the guest reads that nobody is there.
  public func stop() {
    for source in sources { loop.remove(source) }
    sources = []
    client.stop()
    host.setState(.ended)
    ringGuest()
    ringNow()
  }

  /// Once a second at most: a guest may have written over the header, and its next client needs it.
  private func repair() {
    let now = monotonicNanoseconds()
    guard now &- lastRepair >= 900_000_000 else { return }
    lastRepair = now
    if host.repair() {
      refusals.add(.torn, now: now) { [name, log] in log("\(name): the region was written over: \($0)") }
    }
  }

  /// Looks for a client and its frames.
  private func look() {
    var found = false
    if let change = host.checkAttach() {
      found = true
      attachChanged(change)
    }
    var budget = host.frameBudget
    scan: while budget > 0 {
      budget -= 1
      switch host.takeFrame() {
      case .none: break scan
      case .frame(let frame):
        found = true
        show(frame)
      case .refused(let reason):
        found = true
        refusals.add(reason, now: monotonicNanoseconds()) { [name, log] in log("\(name): \($0)") }
        ringGuest()
      }
    }
    // A guest that announces more than it may waits its turn behind the loop's other descriptors.
    if budget == 0 { hostDoorbell.signal() }
    let now = monotonicNanoseconds()
    let polls = host.isAttached && !host.guestFlags.contains(.rings)
    let interval = pace.next(polls: polls, found: found, now: now)
    // For a guest that rings, the look of once a second is not put off by every frame.
    if polls || !isTimerSlow { pollTimer.arm(deadlineNanoseconds: now + interval) }
    isTimerSlow = !polls
  }

  private func attachChanged(_ change: RegionAttach) {
    switch change {
    case .attached(let flags):
      dropWaitingFrames()
      log("\(name): a client has attached\(flags.contains(.rings) ? "" : "; it does not ring, the region is polled")")
    case .detached:
      log("\(name): the client has let go")
      client.disable(scanout: 0)
      dropWaitingFrames()
      newest = nil
      // Without a daemon nobody else gives them back.
      if client.output(0) == nil { releaseAll(.superseded) }
    case .refused(let reason): log("\(name): a client was refused: \(reason)")
    }
    ringGuest()
  }

  /// Rings once for all that happens in this round of the loop.
  func ringGuest() { if host.guestFlags.contains(.listens) { isRingDue = true } }

  /// Rings for what has happened; before the loop waits.
  func ringNow() {
    if isRingDue { guestDoorbell.signal() }
    isRingDue = false
  }

  func releaseSoon(_ slot: Int) {
    if waitingReleases == 0 { holdTimer.arm(deadlineNanoseconds: monotonicNanoseconds() + 50_000_000) }
    waitingReleases |= 1 << UInt64(slot)
  }

  func releaseWaiting() {
    for slot in slots.indices where waitingReleases >> UInt64(slot) & 1 == 1 { giveBack(slot) }
    waitingReleases = 0
    ringGuest()
  }

  func giveBack(_ slot: Int) {
    slots[slot].frame = 0
    host.release(slot)
  }

  /// Tells the guest what became of the frame in a slot, unless it knows.
  func tell(_ slot: Int, _ outcome: RegionOutcome, timeNanoseconds: UInt64 = 0, sequence: UInt64 = 0) {
    if slots[slot].isTold { return }
    slots[slot].isTold = true
    host.done(slot, outcome, timeNanoseconds: timeNanoseconds, sequence: sequence)
  }

  /// Ends every hold, telling what became of the frames.
  func releaseAll(_ outcome: RegionOutcome) {
    for slot in slots.indices where host.heldSlots >> UInt64(slot) & 1 == 1 && newest?.slot != slot {
      tell(slot, outcome)
      giveBack(slot)
    }
    waitingReleases = 0
    ringGuest()
  }
}
