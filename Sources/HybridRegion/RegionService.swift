public import LinuxIO

/// Handles the frames of a region served by a `RegionService`. All calls are made on the loop's thread.
public protocol RegionServiceDelegate: AnyObject {
  /// Logs a line about the region.
  func logRegion(_ text: String)

  /// A client has attached; the frames of the previous one are void.
  func regionAttached()

  /// The client has detached.
  func regionDetached()

  /// A frame was presented; the host holds its slot until `RegionService.release`.
  ///
  /// - Parameter former: the slot of the frame before it, if the host still holds that.
  func regionPresented(_ frame: RegionFrame, former: Int?)

  /// The client must be woken: call `RegionService.takeRing` before the loop waits.
  func ringIsDue()

  /// The CLOCK_MONOTONIC time until which the region is not read, for a client that presents too fast; nil: continue.
  func pauseBeforeLook(at now: UInt64) -> UInt64?

  /// The same after a check that found invalid entries.
  func pauseAfterRefusal(at now: UInt64) -> UInt64?

  /// The time passed to `hold` has been reached.
  func holdEnded()

  /// About a second has passed since the last call.
  func secondPassed()

  /// The doorbell can no longer be watched.
  func regionFailed(_ error: SystemError)
}

extension RegionServiceDelegate {
  /// Never pauses.
  public func pauseBeforeLook(at now: UInt64) -> UInt64? { nil }

  /// Never pauses.
  public func pauseAfterRefusal(at now: UInt64) -> UInt64? { nil }

  /// Does nothing, for a delegate that does not call `RegionService.hold`.
  public func holdEnded() {}

  /// Does nothing.
  public func secondPassed() {}
}

/// The host's work on one region, for the daemon and for a server without a daemon: checks for clients and frames when
/// the doorbell rings or a timer expires, repairs the header once a second, and answers each frame once.
///
/// Owned by the loop's thread. Does not allocate per frame.
public final class RegionService {
  /// The region.
  public let host: RegionHost
  /// The slot of the last presented frame, while the host holds it.
  public private(set) var newest: Int?

  private unowned var delegate: (any RegionServiceDelegate)?
  private let loop: EventLoop
  private let pollTimer: TimerFD
  private var doorbellSource: EventLoop.Source?
  private var timerSource: EventLoop.Source?
  /// Bit k: the frame in slot k has been answered.
  private var answeredSlots: UInt64 = 0
  private var polling = PollingPace()
  private var refusals = RefusalLog()
  private var lastRepair: UInt64 = 0
  /// See `hold`.
  private var heldUntil: UInt64?
  private var isPaused = false
  /// Whether the poll timer has its longest interval.
  private var isTimerSlow = false
  private var isRingDue = false

  /// A service that is not started yet.
  public init(_ host: RegionHost, loop: EventLoop) throws(SystemError) {
    self.host = host
    self.loop = loop
    pollTimer = try TimerFD()
  }

  /// Starts to watch the doorbell; call `look` for frames that were presented before.
  ///
  /// - Parameters:
  ///   - doorbell: an eventfd that the client signals. It is never read, because its owner could make a read block. It
  ///     must stay open until `stop`.
  ///   - delegate: must exist until `stop`, or until this service is released.
  public func start(doorbell: Int32, delegate: any RegionServiceDelegate) throws(SystemError) {
    self.delegate = delegate
    doorbellSource = try loop.add(doorbell, [.readable, .edge]) { [unowned self] _ in look() }
    timerSource = try loop.add(pollTimer.fd.raw, [.readable, .edge]) { [unowned self] _ in timerFired() }
  }

  deinit { stop() }

  /// Stops serving. The host's words in the region are unchanged; see `RegionHost.leave`.
  public func stop() {
    if let source = doorbellSource.take() { loop.remove(source) }
    if let source = timerSource.take() { loop.remove(source) }
  }

  /// Whether the region is served.
  public var isRunning: Bool { timerSource != nil }

  /// Takes over the slots held by a former host: all except the newest frame's are released.
  ///
  /// - Returns: the newest frame.
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

  /// Checks for a client and its frames.
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
    // For a client that rings, frames do not postpone the check once a second. A client that announces more than
    // allowed waits for the loop's other descriptors.
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
    // A guest may have overwritten the header, and its next client needs it.
    if now &- lastRepair >= 900_000_000 {
      lastRepair = now
      delegate?.secondPassed()
      if host.repair() {
        refusals.add(.torn, now: now) { delegate?.logRegion("the region was overwritten: \($0)") }
      }
    }
    look()
  }

  /// Does not check before this time; the client waits because its ring fills.
  private func pause(_ until: UInt64) {
    listen(false)
    arm(until)
  }

  /// Schedules `holdEnded` at this time of CLOCK_MONOTONIC.
  public func hold(until time: UInt64) {
    heldUntil = time
    isTimerSlow = false
    arm(time)
  }

  /// Whether the time passed to `hold` has not been reached yet.
  public var isHeld: Bool { heldUntil != nil }

  /// Schedules `timerFired` at this time, or when a hold ends.
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

  /// Logs that a frame was refused, rate-limited.
  ///
  /// - Parameter detail: an addition to the reason; may be empty.
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

  /// Releases a slot to the client.
  public func release(_ slot: Int) {
    if newest == slot { newest = nil }
    host.release(slot)
    ring()
  }

  /// Answers a frame and releases its slot.
  public func giveUp(_ slot: Int, _ outcome: RegionOutcome) {
    answer(slot, outcome)
    release(slot)
  }

  /// Marks the frame in the slot as not to be shown again; the host keeps the slot.
  public func forgetNewest(_ slot: Int) { if newest == slot { newest = nil } }

  /// Writes the output into the region's header; nil: none.
  public func setOutput(_ output: RegionOutput?, _ state: RegionHostState) {
    host.setOutput(output)
    host.setState(state)
    ring()
  }

  /// Schedules one ring for all events of this iteration of the loop, if the client listens.
  public func ring() {
    guard host.guestFlags.contains(.listens) else { return }
    isRingDue = true
    delegate?.ringIsDue()
  }

  /// Whether to ring the client for events since the last call.
  public func takeRing() -> Bool {
    defer { isRingDue = false }
    return isRingDue
  }
}
