import LinuxIO
import PresentProtocol

/// A client's attempts to reach the daemon: when the next one is due, and why the daemon refused the last ones.
struct ConnectAttempts: ~Copyable {
  /// Readable when the next attempt is due.
  let timer: TimerFD
  private var pace = ReconnectPace()
  /// The daemon's refusals of this client since the last WELCOME.
  private var refusal: ErrorMessage?
  /// Whether the daemon ended the last connection with an error.
  private var isRefused = false

  init() throws(SystemError) { timer = try TimerFD() }

  /// The daemon has accepted the client.
  mutating func welcomed() {
    pace.welcomed(now: monotonicNanoseconds())
    refusal = nil
  }

  /// The daemon ended the connection with an error: the next pause is that after a refusal.
  mutating func endedByError() { isRefused = true }

  /// The event of a refused HELLO; nil if the last one was refused for the same reason.
  mutating func refused(_ message: ErrorMessage) -> PresentEvent? {
    guard message != refusal else { return nil }
    refusal = message
    return .refused(PresentRefusal(message: message))
  }

  /// Sets the timer for the next attempt.
  mutating func scheduleNext() {
    let now = monotonicNanoseconds()
    let pause = isRefused ? pace.refused(now: now) : pace.absent()
    isRefused = false
    timer.arm(deadlineNanoseconds: now + pause)
  }
}
