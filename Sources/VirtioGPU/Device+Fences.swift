extension Device {
  /// Marks the flushes whose frame is on screen as complete for a scanout.
  func settle(_ scanout: ScanoutState) {
    pendingAnswers.settle(scanout: scanout.index) { scanout.isSettled(frame: $0) }
  }

  /// Completes all flushes of a scanout that is blank, or whose frames are gone.
  func abandonFlushes(_ scanout: ScanoutState) {
    pendingAnswers.settle(scanout: scanout.index) { _ in true }
    settleAnswers()
  }

  /// Sends the answers that are complete, in the guest's order.
  func settleAnswers() {
    while let token = pendingAnswers.takeNext() { onCompletion?(token) }
  }

  /// The answer to a fenced command, queued after earlier ones of its timeline.
  func inOrder(_ response: ControlResponse, _ timeline: FenceTimeline) -> ControlResponse {
    guard case .respond(let byteCount) = response, pendingAnswers.contains(timeline) else { return response }
    if pendingAnswers.isFull {
      answerAll()
      return response
    }
    let token = pendingAnswers.add(timeline, deadlineNanoseconds: flushDeadline)
    return .deferred(token: token, byteCount: byteCount)
  }

  /// The deadline for the answer of a command received now.
  var flushDeadline: UInt64 { clockNanoseconds &+ configuration.flushDeadlineNanoseconds }

  /// Sends all answers in the guest's order: a guest with this many fences is not paced by them.
  func answerAll() {
    while let token = pendingAnswers.takeFirst() { onCompletion?(token) }
  }
}
