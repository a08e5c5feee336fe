import GraphicsMemory
import Scanout

extension Device {
  /// The display reports the outcome of a frame.
  public func frameDone(scanout index: Int, frame: UInt64, outcome: FrameOutcome, timeNanoseconds: UInt64) {
    guard scanouts.indices.contains(index) else { return }
    scanouts[index].noteAnswer(frame: frame, outcome: outcome)
    settle(scanouts[index])
    settleAnswers()
    settleLeaving()
    if outcome != .flipped { retryFrames() }
  }

  /// The display releases a buffer: neither the screen nor a frame that it has received needs it.
  public func bufferReleased(_ id: UInt32) {
    for scanout in scanouts {
      guard let buffer = scanout.buffer(id) else { continue }
      buffer.released()
      settle(scanout)
      break
    }
    leaving.buffer(id)?.released()
    settleAnswers()
    settleLeaving()
    retryFrames()
  }

  /// The display has disconnected, and all buffers are gone. The guest keeps running: its flushes are answered at the
  /// rate of the last monitor.
  public func displayLost() {
    isDisplayAway = true
    for scanout in scanouts { dropBuffers(scanout) }
    settleLeaving { _ in true }
  }

  /// The display has reconnected without state: every scanout is shown again from the guest's current pages.
  public func displayRestored() {
    isDisplayAway = false
    for scanout in scanouts { showAgain(scanout) }
  }

  /// A scanout has moved to another output, and its buffers and frames are gone. It is shown again.
  public func buffersLost(scanout index: Int) {
    guard scanouts.indices.contains(index) else { return }
    dropBuffers(scanouts[index])
    settleLeaving { $0 == index }
    if !isDisplayAway { showAgain(scanouts[index]) }
  }

  private func dropBuffers(_ scanout: ScanoutState) {
    forgetImports(scanout)
    scanout.removeBuffers()
    scanout.cursor.removeBuffers()
    abandonFlushes(scanout)
  }

  func showAgain(_ scanout: ScanoutState) {
    scanout.reportedPath = nil
    if isStopped {
      if let still = scanout.still {
        scanout.damage = .full
        presentCopy(scanout, still)
      }
      reportPath(scanout)
    } else if scanout.binding != nil {
      scanout.damage = .full
      reportPath(scanout)
      if scanout.wasFlushed { present(scanout) }
    } else if refusal != nil {
      reportPath(scanout)
    }
    if scanout.cursor.isVisible { showCursor(scanout) }
  }

  /// When `timerFired` is due (CLOCK_MONOTONIC), or nil.
  public var nextDeadline: UInt64? {
    var earliest = min(pendingAnswers.firstDeadline ?? .max, blankDeadlineNanoseconds ?? .max)
    earliest = min(earliest, leaving.firstDeadline ?? .max)
    for scanout in scanouts where scanout.wantsPresent && !isDisplayAway {
      guard let pool = scanout.pools.first, pool.canGrow, let refusedUntil = pool.refusedUntilNanoseconds,
        (isStopped ? scanout.still : scanout.binding)?.resource.isReadable == true
      else { continue }
      earliest = min(earliest, refusedUntil)
    }
    return earliest == .max ? nil : earliest
  }

  /// Answers flushes at their deadline, and requests refused buffers again.
  public func timerFired(nowNanoseconds: UInt64) {
    clockNanoseconds = max(clockNanoseconds, nowNanoseconds)
    pendingAnswers.settleDue(nowNanoseconds: nowNanoseconds)
    settleAnswers()
    settleLeaving()
    blankStoppedScanouts()
    retryFrames()
  }
}
