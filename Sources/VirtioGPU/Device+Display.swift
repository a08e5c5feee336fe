import GraphicsMemory
import Scanout

extension Device {
  /// The display's answer to a frame.
  public func frameDone(scanout index: Int, frame: UInt64, outcome: FrameOutcome, timeNanoseconds: UInt64) {
    guard scanouts.indices.contains(index) else { return }
    scanouts[index].noteAnswer(frame: frame, outcome: outcome)
    completeFlushes(scanout: index, frame: frame)
    if outcome != .flipped { retryFrames() }
  }

  /// The display is done with a buffer: neither the screen nor a frame that it knows of needs it.
  public func bufferReleased(_ id: UInt32) {
    for scanout in scanouts {
      guard let buffer = scanout.buffer(id) else { continue }
      buffer.released()
      break
    }
    retryFrames()
  }

  /// The display is gone, and all buffers with it. The guest goes on: its flushes are answered at once.
  public func displayLost() {
    isDisplayAway = true
    for scanout in scanouts { dropBuffers(scanout) }
  }

  /// The display is back, and knows nothing: every scanout is shown again, from the guest's pages as they are now.
  public func displayRestored() {
    isDisplayAway = false
    for scanout in scanouts { showAgain(scanout) }
  }

  /// A scanout has moved to another output: its buffers are gone, and its frames with them. It is shown again.
  public func buffersLost(scanout index: Int) {
    guard scanouts.indices.contains(index) else { return }
    dropBuffers(scanouts[index])
    if !isDisplayAway { showAgain(scanouts[index]) }
  }

  private func dropBuffers(_ scanout: ScanoutState) {
    scanout.removeBuffers()
    scanout.cursor.removeBuffers()
    completeFlushes(scanout: scanout.index, frame: .max)
  }

  private func showAgain(_ scanout: ScanoutState) {
    scanout.reportedReason = ""
    if let binding = scanout.binding {
      scanout.damage = DamageRegion(Rect(width: binding.source.width, height: binding.source.height))
      reportPath(scanout, binding)
      if scanout.wasFlushed { present(scanout) }
    }
    if scanout.cursor.isVisible { showCursor(scanout) }
  }

  /// When `timerFired` is due (CLOCK_MONOTONIC), or nil.
  public var nextDeadline: UInt64? {
    // Deadlines are in the order of the flushes, which all have the same time.
    var earliest = pendingFlushes.first?.deadlineNanoseconds ?? .max
    for scanout in scanouts where scanout.wantsPresent && !isDisplayAway {
      guard let pool = scanout.pools.first, pool.canGrow, pool.refusedUntilNanoseconds != 0,
        scanout.binding?.resource.isReadable == true
      else { continue }
      earliest = min(earliest, pool.refusedUntilNanoseconds)
    }
    return earliest == .max ? nil : earliest
  }

  /// Answers flushes that have waited long enough, and asks again for buffers that were refused.
  public func timerFired(nowNanoseconds: UInt64) {
    clockNanoseconds = max(clockNanoseconds, nowNanoseconds)
    while let first = pendingFlushes.first, first.deadlineNanoseconds <= nowNanoseconds {
      pendingFlushes.removeFirst()
      complete(first)
    }
    retryFrames()
  }

  /// Answers the flushes whose last frame was that one, or one before it.
  func completeFlushes(scanout: Int, frame: UInt64) {
    var index = 0
    while index < pendingFlushes.count {
      if pendingFlushes[index].noteAnswer(scanout: scanout, frame: frame) {
        complete(pendingFlushes.remove(at: index))
      } else {
        index += 1
      }
    }
  }

  private func complete(_ flush: PendingFlush) {
    onCompletion?(flush.token)
  }
}
