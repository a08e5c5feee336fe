import GraphicsMemory
import HybridRegion
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout

extension RegionSession {
  /// How many frames the daemon is given at once: one on its way to the screen, one behind it. A third would take the
  /// second's place.
  private static let underWayLimit = 2

  /// Sends a frame to the daemon in its turn, or keeps it until there is one.
  func show(_ frame: RegionFrame) {
    let former = newest
    newest = frame
    slots[frame.slot].isTold = false
    guard client.output(0) != nil else {
      if let former {
        tell(former.slot, .superseded)
        releaseSoon(former.slot)
      }
      return
    }
    waitingFrames.append(frame)
    sendWaitingFrames()
  }

  /// Sends as many frames as the daemon has room for: whoever takes slots in turn is paced, and loses none.
  private func sendWaitingFrames() {
    while underWayCount < RegionSession.underWayLimit, !waitingFrames.isEmpty { send(waitingFrames.removeFirst()) }
  }

  /// Gives back what a client has left in the queue.
  func dropWaitingFrames() {
    for frame in waitingFrames {
      if newest?.slot == frame.slot { newest = nil }
      tell(frame.slot, .lost)
      giveBack(frame.slot)
    }
    waitingFrames.removeAll(keepingCapacity: true)
  }

  private func send(_ frame: RegionFrame) {
    do throws(PresentClientError) {
      try present(frame)
    } catch {
      if case .notConnected = error { return }
      refuse(frame, error)
    }
  }

  private func present(_ frame: RegionFrame) throws(PresentClientError) {
    let buffer = try imported(frame)
    lastFrame += 1
    slots[frame.slot].frame = lastFrame
    let isSent = client.present(
      PresentFrame(
        scanout: 0, frame: lastFrame, bufferID: buffer, source: frame.layout.bounds, damage: frame.damage,
        path: .direct, copiedBytes: 0, readyNanoseconds: readyNanoseconds(frame)))
    if isSent { underWayCount += 1 }
  }

  /// The guest's own time where it is of this machine's clock, and can be true.
  private func readyNanoseconds(_ frame: RegionFrame) -> UInt64 {
    let now = monotonicNanoseconds()
    guard sharesClock, frame.readyNanoseconds <= now, now - frame.readyNanoseconds < 1_000_000_000 else { return now }
    return frame.readyNanoseconds
  }

  /// The daemon's name for the slot's pages, imported when the layout is new.
  private func imported(_ frame: RegionFrame) throws(PresentClientError) -> UInt32 {
    let known = slots[frame.slot]
    if let buffer = known.bufferID, known.layout == frame.layout { return buffer }
    if let buffer = known.bufferID { client.destroyBuffer(buffer) }
    slots[frame.slot].bufferID = nil
    // Whole pages of the slot, no more than the picture needs.
    var range = host.memory(of: frame.slot)
    range.byteCount = min(roundedUpToPages(frame.layout.byteCount) ?? range.byteCount, range.byteCount)
    let buffer = try client.importBuffer(scanout: 0, layout: frame.layout, pages: .memfd([range]))
    slots[frame.slot].bufferID = buffer
    slots[frame.slot].layout = frame.layout
    return buffer
  }

  private func refuse(_ frame: RegionFrame, _ error: PresentClientError) {
    refusals.add(.output, now: monotonicNanoseconds()) { [name, log] in log("\(name): \($0) (\(error))") }
    tell(frame.slot, .rejected(.output))
    giveBack(frame.slot)
    if newest?.slot == frame.slot { newest = nil }
    ringGuest()
  }

  /// What the daemon says.
  func handle(_ event: PresentEvent) {
    switch event {
    case .welcomed: log("\(name): connected to framepathd")
    case .output(let output, let buffersLost):
      if output.connected {
        host.setOutput(
          RegionOutput(
            width: output.mode.width, height: output.mode.height, refreshMillihertz: output.mode.refreshMillihertz))
      } else {
        host.setOutput(nil)
      }
      host.setState(.presenting)
      client.setPath(scanout: 0, path: .direct, reason: "")
      if buffersLost { beginAgain() }
      ringGuest()
    case .frameDone(let done): finished(done)
    case .released(let bufferID, _):
      guard let slot = slots.firstIndex(where: { $0.bufferID == bufferID }) else { return }
      if newest?.slot == slot { newest = nil }
      giveBack(slot)
      ringGuest()
    case .error(let message): log("\(name): framepathd: \(message.text)")
    case .lost(let why):
      log("\(name): \(why)")
      host.setState(.waiting)
      forgetDaemon()
      releaseAll(.lost)
    }
  }

  private func finished(_ done: FrameDone) {
    if done.frame >= firstCountedFrame, underWayCount > 0 { underWayCount -= 1 }
    defer { sendWaitingFrames() }
    guard let slot = slots.firstIndex(where: { $0.frame == done.frame && $0.frame != 0 }) else { return }
    let outcome: RegionOutcome =
      switch done.outcome {
      case .flipped: .flipped
      case .superseded: .superseded
      case .rejected: .rejected(.output)
      }
    tell(slot, outcome, timeNanoseconds: done.timeNanoseconds, sequence: done.sequence)
    ringGuest()
  }

  /// Buffers and frames at the daemon are gone.
  private func forgetDaemon() {
    for slot in slots.indices {
      slots[slot].bufferID = nil
      slots[slot].layout = nil
    }
    underWayCount = 0
    firstCountedFrame = lastFrame + 1
    waitingFrames.removeAll(keepingCapacity: true)
  }

  /// The scanout is on another output, or on a new daemon's: the newest frame is shown again, all others are lost.
  private func beginAgain() {
    forgetDaemon()
    releaseAll(.lost)
    guard var frame = newest else { return }
    frame.damage = DamageRegion()
    frame.readyNanoseconds = monotonicNanoseconds()
    send(frame)
  }
}

/// Tells of refused frames without flooding the log: the first at once, then one line every ten seconds.
struct RefusalLog {
  private var count: UInt64 = 0
  private var quietUntil: UInt64 = 0

  mutating func add(_ reason: RegionReason, now: UInt64, _ write: (String) -> Void) {
    count += 1
    guard now >= quietUntil else { return }
    write(count == 1 ? "a frame was refused: \(reason)" : "\(count) frames were refused; the last: \(reason)")
    count = 0
    quietUntil = now + 10_000_000_000
  }
}
