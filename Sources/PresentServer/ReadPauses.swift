import LinuxIO

/// Clients that present too much, and are not read from for a while.
final class ReadPauses {
  private let clock: PresentClock
  private var timer: PresentTimer?
  private var paused: [ClientSession] = []

  init(loop: EventLoop, clock: PresentClock) throws(SystemError) {
    self.clock = clock
    timer = try clock.timer(on: loop) { [unowned self] in resume() }
  }

  func stop() {
    timer = nil
    paused = []
  }

  /// Has `ClientSession.resume` called at its `pausedUntilNanoseconds`.
  func add(_ session: ClientSession, until time: UInt64) {
    if !paused.contains(where: { $0 === session }) { paused.append(session) }
    timer?.arm(time)
  }

  /// The client has gone.
  func remove(_ session: ClientSession) { paused.removeAll { $0 === session } }

  private func resume() {
    let now = clock.nowNanoseconds
    for session in paused { session.resume(atNanoseconds: now) }
    paused.removeAll { $0.pausedUntilNanoseconds == nil }
    for session in paused { if let until = session.pausedUntilNanoseconds { timer?.arm(until) } }
  }
}
