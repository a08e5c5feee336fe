public import LinuxIO

/// Decides about the frames of a region that a `RegionService` serves. All calls come on the loop's thread.
public protocol RegionServiceDelegate: AnyObject {
  /// A line about the region for the log.
  func logRegion(_ text: String)

  /// A client has attached; what the previous one left is gone.
  func regionAttached()

  /// The client has detached.
  func regionDetached()

  /// A frame has come, and its slot is the host's until `RegionService.release`.
  ///
  /// - Parameter former: the slot of the frame before it, where the host still holds that.
  func regionPresented(_ frame: RegionFrame, former: Int?)

  /// The client is to be rung: call `RegionService.takeRing` before the loop waits.
  func ringIsDue()

  /// The time of CLOCK_MONOTONIC until which the region is not read, for a client that presents too much; nil: read on.
  func pauseBeforeLook(at now: UInt64) -> UInt64?

  /// As above, after a look that met entries which made no sense.
  func pauseAfterRefusal(at now: UInt64) -> UInt64?

  /// The time given to `hold` has come.
  func holdEnded()

  /// About a second has passed since the last call.
  func secondPassed()

  /// The doorbell cannot be watched any more.
  func regionFailed(_ error: SystemError)
}

extension RegionServiceDelegate {
  /// Reads on.
  public func pauseBeforeLook(at now: UInt64) -> UInt64? { nil }

  /// Reads on.
  public func pauseAfterRefusal(at now: UInt64) -> UInt64? { nil }

  /// For a delegate that does not call `RegionService.hold`.
  public func holdEnded() {}

  /// For a delegate without work of its own then.
  public func secondPassed() {}
}

/// The host's work on one region, the same for the daemon and for a server without one: looks for clients and frames
/// when the doorbell rings or a timer is due, repairs the header once a second, and answers each frame once.
///
/// Owned by the loop's thread. Costs no allocation per frame.
public final class RegionService {
  /// The region.
  public let host: RegionHost
  /// The slot of the frame that was presented last, while the host holds it.
  public private(set) var newest: Int?

  private unowned var delegate: (any RegionServiceDelegate)?
  private let loop: EventLoop
  private let pollTimer: TimerFD
  private var doorbellSource: EventLoop.Source?
  private var timerSource: EventLoop.Source?
  /// Bit k: the client has its answer to the frame in slot k.
  private var answeredSlots: UInt64 = 0
  private var polling = PollingPace()
  private var refusals = RefusalLog()
  private var lastRepair: UInt64 = 0
  /// See `hold`.
  private var heldUntil: UInt64?
  private var isPaused = false
  /// Whether the poll timer stands at its longest interval.
  private var isTimerSlow = false
  private var isRingDue = false

  /// A service that does not look yet.
  public init(_ host: RegionHost, loop: EventLoop) throws(SystemError) {
    self.host = host
    self.loop = loop
    pollTimer = try TimerFD()
  }

  /// Begins to watch the doorbell; call `look` for what is there already.
  ///
  /// - Parameters:
  ///   - doorbell: an eventfd that the client raises. It is never read, as its owner could make that wait; it must stay
  ///     open until `stop`.
  ///   - delegate: must outlive this service, or its `stop`.
  public func start(doorbell: Int32, delegate: any RegionServiceDelegate) throws(SystemError) {
    self.delegate = delegate
    doorbellSource = try loop.add(doorbell, [.readable, .edge]) { [unowned self] _ in look() }
    timerSource = try loop.add(pollTimer.fd.raw, [.readable, .edge]) { [unowned self] _ in timerFired() }
  }

  deinit { stop() }

  /// Stops looking. What guests read of the host stays as it is; see `RegionHost.leave`.
  public func stop() {
    if let source = doorbellSource.take() { loop.remove(source) }
    if let source = timerSource.take() { loop.remove(source) }
  }

  /// Whether the region is still looked at.
  public var isRunning: Bool { timerSource != nil }

  /// Takes over the slots that a former host has left: all but the newest frame's go back to the client.
  ///
  /// - Returns: that frame.
  public func takeOver() -> RegionFrame? {
    var last: RegionFrame?
    for held in host.takeHeldFrames() {
      if held.isTold { answeredSlots |= 1 << UInt64(held.slot) }
      if let former = newest { giveUp(former, .lost) }
      last = held.frame
      if held.frame == nil {
        giveUp(held.slot, .lost)
      } else {
        newest = held.slot
      }
    }
    return last
  }

  // MARK: - The client's side

  /// Looks for a client and its frames.
  public func look() {
    let now = monotonicNanoseconds()
    if let until = delegate?.pauseBeforeLook(at: now) { return pause(until) }
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
        let former = newest
        newest = frame.slot
        answeredSlots &= ~(1 << UInt64(frame.slot))
        delegate?.regionPresented(frame, former: former)
      case .refused(let reason):
        hasRefused = true
        noteRefusal(reason)
        ring()
      }
    }
    if hasRefused, let until = delegate?.pauseAfterRefusal(at: now) { return pause(until) }
    let polls = host.isAttached && !host.guestFlags.contains(.rings)
    let interval = hasMore ? 0 : polling.next(polls: polls, found: found, now: now)
    // For a client that rings, the look of once a second is not put off by every frame. One that announces more than it
    // may waits its turn behind the loop's other descriptors.
    if polls || !isTimerSlow || hasMore { arm(now + interval) }
    isTimerSlow = !polls && !hasMore && heldUntil == nil
  }

  private func attachChanged(_ change: RegionAttach) {
    switch change {
    case .attached(let flags):
      delegate?.regionAttached()
      let how = flags.contains(.rings) ? "" : "; it does not ring, the region is polled"
      delegate?.logRegion("a client has attached to the region\(how)")
    case .detached:
      delegate?.logRegion("the client has detached from the region")
      newest = nil
      delegate?.regionDetached()
    case .refused(let reason): delegate?.logRegion("a client of the region was refused: \(reason)")
    }
    ring()
  }

  private func timerFired() {
    isTimerSlow = false
    if isPaused { listen(true) }
    let now = monotonicNanoseconds()
    if let until = heldUntil, until <= now {
      heldUntil = nil
      delegate?.holdEnded()
    }
    // A guest may have written over the header, and its next client needs it.
    if now &- lastRepair >= 900_000_000 {
      lastRepair = now
      delegate?.secondPassed()
      if host.repair() {
        refusals.add(.torn, now: now) { delegate?.logRegion("the region was written over: \($0)") }
      }
    }
    look()
  }

  /// Does not look before that time: the client waits, as its ring fills.
  private func pause(_ until: UInt64) {
    listen(false)
    arm(until)
  }

  /// Has `holdEnded` called at that time of CLOCK_MONOTONIC.
  public func hold(until time: UInt64) {
    heldUntil = time
    isTimerSlow = false
    arm(time)
  }

  /// Whether the time given to `hold` has not come yet.
  public var isHeld: Bool { heldUntil != nil }

  /// Has `timerFired` called at that time, or when a hold ends.
  private func arm(_ nanoseconds: UInt64) {
    pollTimer.arm(deadlineNanoseconds: min(nanoseconds, heldUntil ?? .max))
  }

  private func listen(_ on: Bool) {
    isPaused = !on
    guard let doorbellSource else { return }
    do throws(SystemError) {
      try loop.modify(doorbellSource, on ? [.readable, .edge] : [])
    } catch {
      delegate?.regionFailed(error)
    }
  }

  // MARK: - The host's answers

  /// Logs that a frame was refused, within the log's pace.
  ///
  /// - Parameter detail: more than the reason says; empty for nothing.
  public func noteRefusal(_ reason: RegionReason, detail: String = "") {
    refusals.add(reason, now: monotonicNanoseconds()) { delegate?.logRegion(detail.isEmpty ? $0 : "\($0) (\(detail))") }
  }

  /// Answers the frame in a slot, unless it was answered before.
  ///
  /// - Parameters:
  ///   - timeNanoseconds: CLOCK_MONOTONIC of the flip; 0 for other outcomes.
  ///   - sequence: the vblank of the flip; 0 for other outcomes.
  public func answer(_ slot: Int, _ outcome: RegionOutcome, timeNanoseconds: UInt64 = 0, sequence: UInt64 = 0) {
    if answeredSlots >> UInt64(slot) & 1 == 1 { return }
    answeredSlots |= 1 << UInt64(slot)
    host.done(slot, outcome, timeNanoseconds: timeNanoseconds, sequence: sequence)
    ring()
  }

  /// Gives a slot back to the client.
  public func release(_ slot: Int) {
    if newest == slot { newest = nil }
    host.release(slot)
    ring()
  }

  /// Answers a frame and gives its slot back.
  public func giveUp(_ slot: Int, _ outcome: RegionOutcome) {
    answer(slot, outcome)
    release(slot)
  }

  /// The frame in that slot is not to be shown again; the slot stays the host's.
  public func forgetNewest(_ slot: Int) { if newest == slot { newest = nil } }

  /// Writes the output into the region's header; nil: there is none.
  public func setOutput(_ output: RegionOutput?, _ state: RegionHostState) {
    host.setOutput(output)
    host.setState(state)
    ring()
  }

  /// Rings once for all that happens in this round of the loop, where the client listens.
  public func ring() {
    guard host.guestFlags.contains(.listens) else { return }
    isRingDue = true
    delegate?.ringIsDue()
  }

  /// Whether the client is to be rung for what has happened since the last call.
  public func takeRing() -> Bool {
    defer { isRingDue = false }
    return isRingDue
  }
}
