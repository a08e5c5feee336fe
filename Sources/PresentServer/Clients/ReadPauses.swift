import LinuxIO

/// Clients that exceed a rate limit, and are not read from for a while.
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

  /// Schedules `ClientSession.resume` at `time`.
  func add(_ session: ClientSession, until time: UInt64) {
    if !paused.contains(where: { $0 === session }) { paused.append(session) }
    timer?.arm(time)
  }

  /// Removes a disconnected client.
  func remove(_ session: ClientSession) { paused.removeAll { $0 === session } }

  private func resume() {
    let now = clock.nowNanoseconds
    for session in paused { session.resume(atNanoseconds: now) }
    paused.removeAll { $0.pausedUntilNanoseconds == nil }
    for session in paused { if let until = session.pausedUntilNanoseconds { timer?.arm(until) } }
  }
}
