import GraphicsMemory
import HybridRegion
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A region whose frames a scanout shows: the host's side, in the daemon itself.
///
/// Frames come out of the region's ring, not from messages; flips and releases go back the same way. A slot is imported
/// once per layout; its pages are what the output reads. Whatever the guest writes costs its own frames only.
final class RegionFeed {
  let host: RegionHost
  unowned let head: Surface
  /// The connection that the region came through.
  unowned let session: ClientSession
  /// The slot of the frame handed over last, while it is the host's.
  var newest: Int?
  var slots: [SlotState]
  /// Slots whose frames wait for room on the output, the oldest first.
  var waiting: [Int] = []
  /// Frames that the presenter has and has not answered.
  var underWayCount = 0
  var lastFrame: UInt64 = 0
  var refusals = RefusalLog()
  /// Whether the last slot that was to become a buffer could not; the scanout's path says why.
  var hasRefused = false
  /// Bit k: slot k was refused for want of memory, and is kept for a second at most.
  var refusedSlots: UInt64 = 0
  /// Until when no frame is presented, because the output has refused too many; 0: nothing holds them up.
  private(set) var heldUntil: UInt64 = 0
  private let sharesClock: Bool
  private let hostDoorbell: OwnedFD
  private let guestDoorbell: GuestDoorbell?
  private let loop: EventLoop
  private let pollTimer: TimerFD
  private var doorbellSource: EventLoop.Source?
  private var timerSource: EventLoop.Source?
  private var polling = PollingPace()
  private var pace = MessagePace.frames
  private var refusalPace = MessagePace.refusals
  private var isPaused = false
  private var lastRepair: UInt64 = 0
  /// The surface's generation that frames were last presented in.
  var generation: UInt32 = 0
  /// Whether the poll timer stands at its longest interval.
  private var isTimerSlow = false
  private var isRingDue = false
  private var isStopped = false
  /// Whether the server knows that something is to be done at the end of the round.
  private var isMarked = false

  /// What is known of a slot.
  struct SlotState {
    /// What the guest has handed over in it; read while the slot is the host's only.
    var handedOver: RegionFrame?
    var buffer: ClientBuffer?
    var layout: FrameLayout?
    /// The feed's number for the frame while the slot is the host's; 0: none.
    var frame: UInt64 = 0
    /// Whether the guest knows what became of its frame: it is told once.
    var isTold = false
  }

  /// - Parameters:
  ///   - hostDoorbell: an eventfd, never read: its owner could make that wait.
  ///   - guestDoorbell: nil: the client is told by messages.
  init(
    _ host: RegionHost, head: Surface, session: ClientSession, sharesClock: Bool, hostDoorbell: consuming OwnedFD,
    guestDoorbell: GuestDoorbell?
  ) throws(SystemError) {
    self.host = host
    self.head = head
    self.session = session
    self.sharesClock = sharesClock
    self.hostDoorbell = hostDoorbell
    self.guestDoorbell = guestDoorbell
    pollTimer = try TimerFD()
    slots = Array(repeating: SlotState(), count: host.layout.slotCount)
    waiting.reserveCapacity(host.layout.slotCount)
    loop = session.server.loop
    doorbellSource = try loop.add(self.hostDoorbell.raw, [.readable, .edge]) { [unowned self] _ in look() }
    timerSource = try loop.add(pollTimer.fd.raw, [.readable, .edge]) { [unowned self] _ in timerFired() }
  }

  deinit { stop() }

  /// Takes over what a former host has left, and looks.
  func start() {
    for held in host.takeHeldFrames() {
      slots[held.slot].isTold = held.isTold
      // The newest is shown again; nobody shows the others any more.
      if let former = newest { giveUp(former, .lost) }
      slots[held.slot].handedOver = held.frame
      newest = held.frame == nil ? nil : held.slot
      if held.frame == nil { giveUp(held.slot, .lost) }
    }
    generation = head.generation
    beginAgain()
    if let output = head.description { take(output) }
    look()
  }

  /// Ends; another host may take the region over.
  func stop() {
    if isStopped { return }
    isStopped = true
    host.leave()
    if let source = doorbellSource.take() { loop.remove(source) }
    if let source = timerSource.take() { loop.remove(source) }
  }

  // MARK: - The guest's side

  private func timerFired() {
    isTimerSlow = false
    if isPaused { listen(true) }
    let now = monotonicNanoseconds()
    if heldUntil != 0, heldUntil <= now {
      heldUntil = 0
      mark()
    }
    // A guest may have written over the header, and its next client needs it.
    if now &- lastRepair >= 900_000_000 {
      lastRepair = now
      giveBackRefused()
      if host.repair() {
        refusals.add(.torn, now: now) { session.log("scanout \(head.index)'s region was written over: \($0)") }
      }
    }
    look()
  }

  /// Looks for a client and its frames.
  fileprivate func look() {
    let now = monotonicNanoseconds()
    if session.server.isShared, let until = pace.pause(at: now) { return pause(until) }
    var found = false
    var hasRefused = false
    if let change = host.checkAttach() {
      found = true
      attachChanged(change)
    }
    let hasMore = host.takeFrames { take in
      found = true
      switch take {
      case .none: break
      case .frame(let frame):
        newest = frame.slot
        slots[frame.slot].handedOver = frame
        slots[frame.slot].isTold = false
        waiting.append(frame.slot)
        mark()
      case .refused(let reason):
        hasRefused = true
        refusals.add(reason, now: now) { session.log("scanout \(head.index): \($0)") }
        ringGuest()
      }
    }
    if hasRefused, let until = refusalPace.pause(at: now) { return pause(until) }
    let polls = host.isAttached && !host.guestFlags.contains(.rings)
    let interval = hasMore ? 0 : polling.next(polls: polls, found: found, now: now)
    // For a guest that rings, the look of once a second is not put off by every frame. A guest that announces more than
    // it may waits its turn behind the loop's other descriptors.
    if polls || !isTimerSlow || hasMore { arm(now + interval) }
    isTimerSlow = !polls && !hasMore && heldUntil == 0
  }

  /// Looks at nothing until then: the guest waits, as its ring fills.
  private func pause(_ until: UInt64) {
    listen(false)
    arm(until)
  }

  /// Has `timerFired` called at that time, or when held frames are due.
  private func arm(_ nanoseconds: UInt64) {
    pollTimer.arm(deadlineNanoseconds: heldUntil == 0 ? nanoseconds : min(nanoseconds, heldUntil))
  }

  /// The output has refused a frame. Its slot is back in the guest's hands at once, and could come again at once, for
  /// ever: after some of these, the next frame waits.
  func holdBack() {
    guard heldUntil == 0, let until = refusalPace.pause(at: monotonicNanoseconds()) else { return }
    heldUntil = until
    isTimerSlow = false
    arm(until)
  }

  private func listen(_ on: Bool) {
    isPaused = !on
    guard let doorbellSource else { return }
    do throws(SystemError) {
      try loop.modify(doorbellSource, on ? [.readable, .edge] : [])
    } catch {
      session.server.drop(session, "\(error)")
    }
  }

  private func attachChanged(_ change: RegionAttach) {
    switch change {
    case .attached(let flags):
      dropWaiting()
      let how = flags.contains(.rings) ? "" : "; it does not ring, the region is polled"
      session.log("a client has attached to the region of scanout \(head.index)\(how)")
    case .detached:
      session.log("the client has let go of the region of scanout \(head.index)")
      dropWaiting()
      newest = nil
      head.blank()
    case .refused(let reason): session.log("a client of the region was refused: \(reason)")
    }
    ringGuest()
  }

  /// The guest's own time where it is of this machine's clock, and can be true.
  func readyNanoseconds(_ frame: RegionFrame) -> UInt64 {
    let now = monotonicNanoseconds()
    guard sharesClock, frame.readyNanoseconds <= now, now - frame.readyNanoseconds < 1_000_000_000 else { return now }
    return frame.readyNanoseconds
  }

  // MARK: - The end of a round

  /// Has `endRound` called: frames are presented outside of what the presenter tells.
  func mark() {
    if !isMarked { session.server.willEndRound(self) }
    isMarked = true
  }

  /// Rings once for all that happens in this round of the loop.
  func ringGuest() {
    guard host.guestFlags.contains(.listens) else { return }
    isRingDue = true
    mark()
  }

  /// Presents what there is room for, and rings.
  func endRound() {
    // What came without a doorbell; where nothing is under way it is wanted again, and one look will do for both.
    let wasQuiet = host.isDoorbellQuiet
    if wasQuiet, !isStopped {
      if underWayCount == 0 { host.wantDoorbell() }
      look()
    }
    isMarked = false
    if isStopped { return }
    presentWaiting()
    adjustDoorbell(drewAhead: wasQuiet)
    guard isRingDue else { return }
    isRingDue = false
    if let guestDoorbell {
      guestDoorbell.event.signal()
    } else {
      session.send(.regionNews(scanout: UInt32(head.index)))
    }
  }
}

extension RegionFeed {
  /// A guest that draws ahead need not ring while the end of a commit will wake the daemon before it could make another
  /// one anyway.
  ///
  /// On an output with others their frames may be copied, or may fall due, before that.
  private var looksByItself: Bool {
    guard underWayCount > 0, let presenter = head.presenter else { return false }
    return presenter.tiles.count == 1 && presenter.output.isCommitPending
  }

  fileprivate func adjustDoorbell(drewAhead: Bool) {
    if looksByItself {
      // One that waits for each flip presents while nothing is under way: it would only cost it and us a look more.
      if drewAhead || underWayCount > 1 || !waiting.isEmpty { host.silenceDoorbell() }
      return
    }
    if !host.isDoorbellQuiet { return }
    host.wantDoorbell()
    // What came before the guest could know; it marks the region again where it finds something.
    look()
  }
}

/// An eventfd that the daemon raises. It is of somebody trusted: whoever holds it can make a write wait.
final class GuestDoorbell {
  let event: EventFD

  init(_ event: consuming EventFD) { self.event = event }
}
