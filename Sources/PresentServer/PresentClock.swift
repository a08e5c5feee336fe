public import LinuxIO

/// A time that takes the place of CLOCK_MONOTONIC in a server: a test sets it by hand.
public protocol TimeSource: AnyObject {
  /// The time in nanoseconds; it never goes back.
  var nowNanoseconds: UInt64 { get }
  /// Has `PresentTimer.fire` called once the time is `deadlineNanoseconds` or later, in place of the timer's earlier
  /// deadline. The timer must not be kept alive for that.
  func arm(_ timer: PresentTimer, deadlineNanoseconds: UInt64)
}

/// The clock of a server: it reads the time here and sets its timers on it.
///
/// The server's deadlines are times of this clock. The time stamps of a frame are not: they are compared with those of
/// guests and of the kernel, and are of CLOCK_MONOTONIC always.
public final class PresentClock {
  /// Nil for CLOCK_MONOTONIC.
  private let source: (any TimeSource)?

  /// CLOCK_MONOTONIC, or the time of a source.
  public init(_ source: (any TimeSource)? = nil) { self.source = source }

  /// The time in nanoseconds.
  public var nowNanoseconds: UInt64 { source?.nowNanoseconds ?? monotonicNanoseconds() }

  /// A disarmed timer.
  ///
  /// - Parameters:
  ///   - loop: the loop that calls `fired`.
  ///   - fired: called once for each time that the timer was armed and has expired; not after the timer's end.
  public func timer(on loop: EventLoop, fired: @escaping () -> Void) throws(SystemError) -> PresentTimer {
    try PresentTimer(source, loop, fired)
  }
}

/// A one-shot timer of a `PresentClock`; it ends with its last reference.
public final class PresentTimer {
  /// A timer of CLOCK_MONOTONIC; nil where the time is a source's.
  private let descriptor: TimerFD?
  private let source: (any TimeSource)?
  private let loop: EventLoop
  private let fired: () -> Void
  private var registration: EventLoop.Source?
  /// The deadline; `UInt64.max` while it is disarmed.
  private var deadlineNanoseconds = UInt64.max

  fileprivate init(
    _ source: (any TimeSource)?, _ loop: EventLoop, _ fired: @escaping () -> Void
  ) throws(SystemError) {
    self.source = source
    self.loop = loop
    self.fired = fired
    guard source == nil else {
      descriptor = nil
      return
    }
    let timer = try TimerFD()
    let fd = timer.fd.raw
    descriptor = consume timer
    // Edge-triggered: an expiry need not be read.
    registration = try loop.add(fd, [.readable, .edge]) { [unowned self] _ in fire() }
  }

  deinit { if let registration { loop.remove(registration) } }

  /// Has the timer fire at that time of its clock; at once where the time has passed. A timer that is armed for an
  /// earlier time keeps it, and fires then.
  public func arm(_ nanoseconds: UInt64) {
    if deadlineNanoseconds <= nanoseconds { return }
    deadlineNanoseconds = nanoseconds
    if let source {
      source.arm(self, deadlineNanoseconds: nanoseconds)
    } else {
      descriptor?.arm(deadlineNanoseconds: nanoseconds)
    }
  }

  /// Calls the timer's closure and disarms it: for a `TimeSource`, on the loop's thread.
  public func fire() {
    deadlineNanoseconds = .max
    fired()
  }
}
