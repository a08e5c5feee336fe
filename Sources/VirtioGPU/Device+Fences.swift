extension Device {
  /// Notes the flushes whose frame a scanout has shown.
  func settle(_ scanout: ScanoutState) {
    pendingAnswers.settle(scanout: scanout.index) { scanout.isSettled(frame: $0) }
  }

  /// No flush waits for that scanout any more: it is blank, or its frames are gone.
  func abandonFlushes(_ scanout: ScanoutState) {
    pendingAnswers.settle(scanout: scanout.index) { _ in true }
    settleAnswers()
  }

  /// Gives the guest the answers that it may have now, in its order.
  func settleAnswers() {
    while let token = pendingAnswers.takeNext() { onCompletion?(token) }
  }

  /// The answer to a fenced command, behind those before it on its timeline.
  func inOrder(_ response: ControlResponse, _ timeline: FenceTimeline) -> ControlResponse {
    guard case .respond(let byteCount) = response, pendingAnswers.contains(timeline) else { return response }
    if pendingAnswers.isFull {
      answerAll()
      return response
    }
    let token = pendingAnswers.add(timeline, deadlineNanoseconds: flushDeadline)
    return .deferred(token: token, byteCount: byteCount)
  }

  /// When a command that came now must be answered.
  var flushDeadline: UInt64 { clockNanoseconds &+ configuration.flushDeadlineNanoseconds }

  /// Answers everything, in the guest's order: nobody has that many fences under way to be paced by them.
  func answerAll() {
    while let token = pendingAnswers.takeFirst() { onCompletion?(token) }
  }
}
