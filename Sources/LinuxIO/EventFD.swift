import CLinux
import Glibc

/// An eventfd: a counter that one side raises and the other waits for.
public struct EventFD: ~Copyable {
  /// The descriptor.
  public let fd: OwnedFD

  /// A new nonblocking eventfd with count 0.
  ///
  /// The corresponding C function is `eventfd`.
  public init() throws(SystemError) {
    let flags = Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)
    fd = OwnedFD(taking: try check("eventfd") { eventfd(0, flags) })
  }

  /// Takes over an existing eventfd.
  public init(taking fd: consuming OwnedFD) { self.fd = fd }

  /// Adds one. A full counter is not an error: the reader is already awake.
  public borrowing func signal() {
    var one: UInt64 = 1
    _ = unsafe write(fd.raw, &one, 8)
  }

  /// Returns the count and resets it to 0; 0 if it was not raised.
  @discardableResult
  public borrowing func drain() -> UInt64 {
    var count: UInt64 = 0
    return unsafe read(fd.raw, &count, 8) == 8 ? count : 0
  }
}

/// Raises `answers` once for every raise of `requests`, sleeping in `read` between them, until either is closed: the
/// least work that a process can do for a wake-up. `requests` becomes blocking.
public func echoRaises(of requests: Int32, to answers: Int32) throws(SystemError) {
  let flags = try check("fcntl(F_GETFL)") { fcntl(requests, F_GETFL) }
  try check("fcntl(F_SETFL)") { fcntl(requests, F_SETFL, flags & ~O_NONBLOCK) }
  var count: UInt64 = 0
  var one: UInt64 = 1
  while unsafe read(requests, &count, 8) == 8 { _ = unsafe write(answers, &one, 8) }
}

/// A timer on CLOCK_MONOTONIC with absolute expiry.
public struct TimerFD: ~Copyable {
  /// The descriptor, readable once the timer has expired.
  public let fd: OwnedFD

  /// A new disarmed nonblocking timer.
  ///
  /// The corresponding C function is `timerfd_create`.
  public init() throws(SystemError) {
    let flags = Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK)
    fd = OwnedFD(taking: try check("timerfd_create") { timerfd_create(CLOCK_MONOTONIC, flags) })
  }

  /// Sets the timer to fire once at `deadlineNanoseconds` of CLOCK_MONOTONIC; a past deadline fires at once.
  public borrowing func arm(deadlineNanoseconds: UInt64) {
    // 0 would disarm it.
    let deadline = max(deadlineNanoseconds, 1)
    var value = itimerspec()
    value.it_value.tv_sec = Int(deadline / 1_000_000_000)
    value.it_value.tv_nsec = Int(deadline % 1_000_000_000)
    let result = unsafe timerfd_settime(fd.raw, Int32(TFD_TIMER_ABSTIME), &value, nil)
    precondition(result == 0, "timerfd_settime fails for bad arguments only")
  }

  /// Stops a pending expiry.
  public borrowing func disarm() {
    var value = itimerspec()
    _ = unsafe timerfd_settime(fd.raw, 0, &value, nil)
  }

  /// Returns the number of expiries since the last call.
  @discardableResult
  public borrowing func drain() -> UInt64 {
    var count: UInt64 = 0
    return unsafe read(fd.raw, &count, 8) == 8 ? count : 0
  }
}

/// Signals as readable events.
public struct SignalFD: ~Copyable {
  /// The descriptor, readable once a signal is pending.
  public let fd: OwnedFD

  /// Blocks `signals` in this thread and receives them here. Call it before any other thread starts.
  ///
  /// The corresponding C functions are `pthread_sigmask` and `signalfd`.
  public init(_ signals: [Int32]) throws(SystemError) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in signals { unsafe sigaddset(&set, signal) }
    let code = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    guard code == 0 else { throw SystemError(call: "pthread_sigmask", code: code) }
    let flags = Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK)
    fd = OwnedFD(taking: try check("signalfd") { unsafe signalfd(-1, &set, flags) })
  }

  /// The next pending signal's number, or nil.
  public borrowing func next() -> Int32? {
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    return unsafe read(fd.raw, &info, size) == size ? Int32(info.ssi_signo) : nil
  }
}

/// Nanoseconds of CLOCK_MONOTONIC, the clock of KMS's flip events.
///
/// The corresponding C function is `clock_gettime`.
public func monotonicNanoseconds() -> UInt64 {
  var now = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &now)
  return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
