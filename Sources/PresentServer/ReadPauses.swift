import LinuxIO

/// Clients that present too much, and are not read from for a while.
final class ReadPauses {
  private let loop: EventLoop
  private let timer: TimerFD
  private var source: EventLoop.Source?
  private var paused: [ClientSession] = []
  /// What the timer is set to.
  private var armedNanoseconds = UInt64.max

  init(loop: EventLoop) throws(SystemError) {
    self.loop = loop
    timer = try TimerFD()
    source = try loop.add(timer.fd.raw, [.readable, .edge]) { [unowned self] _ in resume() }
  }

  func stop() {
    if let source = source.take() { loop.remove(source) }
    paused = []
  }

  /// Has `ClientSession.resume` called at its `pausedUntilNanoseconds`.
  func add(_ session: ClientSession, until time: UInt64) {
    if !paused.contains(where: { $0 === session }) { paused.append(session) }
    arm(time)
  }

  /// The client has gone.
  func remove(_ session: ClientSession) { paused.removeAll { $0 === session } }

  private func arm(_ time: UInt64) {
    guard time < armedNanoseconds else { return }
    armedNanoseconds = time
    timer.arm(deadlineNanoseconds: time)
  }

  private func resume() {
    armedNanoseconds = .max
    let now = monotonicNanoseconds()
    for session in paused { session.resume(atNanoseconds: now) }
    paused.removeAll { $0.pausedUntilNanoseconds == nil }
    for session in paused { if let until = session.pausedUntilNanoseconds { arm(until) } }
  }
}
