public import LinuxIO

/// A time source that replaces CLOCK_MONOTONIC in a server, so that tests can set the time.
public protocol TimeSource: AnyObject {
  /// The time in nanoseconds; never decreases.
  var nowNanoseconds: UInt64 { get }
  /// Calls `PresentTimer.fire` once the time is `deadlineNanoseconds` or later. Replaces the timer's previous deadline.
  /// Must not keep the timer alive.
  func arm(_ timer: PresentTimer, deadlineNanoseconds: UInt64)
  /// Drops the timer's deadline, if it has one.
  func disarm(_ timer: PresentTimer)
}

/// A server's clock: its source of time and of timers.
///
/// The server's deadlines use this clock. Frame timestamps always use CLOCK_MONOTONIC, because they are compared with
/// those of guests and of the kernel.
public final class PresentClock {
  /// Nil for CLOCK_MONOTONIC.
  private let source: (any TimeSource)?

  /// Creates a clock that uses `source`, or CLOCK_MONOTONIC if it is nil.
  public init(_ source: (any TimeSource)? = nil) { self.source = source }

  /// The time in nanoseconds.
  public var nowNanoseconds: UInt64 { source?.nowNanoseconds ?? monotonicNanoseconds() }

  /// Creates a disarmed timer.
  ///
  /// - Parameters:
  ///   - loop: the loop that calls `fired`.
  ///   - fired: called each time the timer expires; never after the timer is freed.
  public func timer(on loop: EventLoop, fired: @escaping () -> Void) throws(SystemError) -> PresentTimer {
    try PresentTimer(source, loop, fired)
  }
}

/// A one-shot timer of a `PresentClock`; removed with its last reference.
public final class PresentTimer {
  /// A CLOCK_MONOTONIC timer; nil if the clock has a time source.
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
    // Edge-triggered, so expirations need not be read.
    registration = try loop.add(fd, [.readable, .edge]) { [unowned self] _ in fire() }
  }

  deinit { if let registration { loop.remove(registration) } }

  /// Arms the timer for a time of its clock; it fires immediately if the time has passed. A timer already armed for an
  /// earlier time keeps that time.
  public func arm(_ nanoseconds: UInt64) {
    if deadlineNanoseconds <= nanoseconds { return }
    deadlineNanoseconds = nanoseconds
    if let source {
      source.arm(self, deadlineNanoseconds: nanoseconds)
    } else {
      descriptor?.arm(deadlineNanoseconds: nanoseconds)
    }
  }

  /// Drops the deadline, so that an idle process is not woken.
  public func disarm() {
    if deadlineNanoseconds == .max { return }
    deadlineNanoseconds = .max
    if let source { source.disarm(self) } else { descriptor?.disarm() }
  }

  /// Disarms the timer and calls its closure. A `TimeSource` calls this on the loop's thread.
  public func fire() {
    deadlineNanoseconds = .max
    fired()
  }
}
