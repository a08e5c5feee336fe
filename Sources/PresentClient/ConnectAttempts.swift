import LinuxIO
import PresentProtocol

/// A client's attempts to reach the daemon: when the next one is due, and why the daemon refused the last ones.
struct ConnectAttempts: ~Copyable {
  /// Readable when the next attempt is due.
  let timer: TimerFD
  private var pace = ReconnectPace()
  /// Why the daemon has refused this client since it last welcomed it.
  private var refusal: ErrorMessage?
  /// Whether the daemon has ended the last connection by an error.
  private var isRefused = false

  init() throws(SystemError) { timer = try TimerFD() }

  /// The daemon has accepted the client.
  mutating func welcomed() {
    pace.welcomed(now: monotonicNanoseconds())
    refusal = nil
  }

  /// The daemon ends the connection by an error: the next pause is one after a refusal.
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
