import CLinux
import Glibc

/// Waits until a descriptor is ready, outside an event loop.
///
/// The corresponding C function is `poll`.
/// - Parameter timeoutMilliseconds: -1 to wait forever, 0 not to wait.
/// - Returns: the events; empty at the timeout.
public func waitUntilReady(
  _ fd: Int32, _ interest: Readiness, timeoutMilliseconds: Int32
) throws(SystemError) -> Readiness {
  // The POLL* bits used here have the values of the EPOLL* bits.
  let deadline = monotonicNanoseconds() + UInt64(max(timeoutMilliseconds, 0)) * 1_000_000
  var remaining = timeoutMilliseconds
  while true {
    var entry = pollfd(fd: fd, events: Int16(truncatingIfNeeded: interest.rawValue), revents: 0)
    let count = unsafe poll(&entry, 1, remaining)
    if count >= 0 { return Readiness(rawValue: UInt32(UInt16(bitPattern: entry.revents))) }
    if errno != EINTR { throw SystemError(call: "poll", code: errno) }
    if timeoutMilliseconds > 0 {
      let now = monotonicNanoseconds()
      remaining = now >= deadline ? 0 : Int32(clamping: (deadline - now + 999_999) / 1_000_000)
    }
  }
}

/// Waits until one of two descriptors can be read, or its other end is closed.
///
/// The corresponding C function is `poll`.
/// - Parameter timeoutMilliseconds: -1 to wait forever, 0 not to wait.
/// - Returns: the ready ones; neither at the timeout.
public func waitUntilEitherReady(
  _ first: Int32, _ second: Int32, timeoutMilliseconds: Int32
) throws(SystemError) -> (first: Bool, second: Bool) {
  var entries: InlineArray<2, pollfd> = [
    pollfd(fd: first, events: Int16(POLLIN), revents: 0), pollfd(fd: second, events: Int16(POLLIN), revents: 0),
  ]
  let code: Int32 = unsafe withUnsafeMutableBytes(of: &entries) { bytes in
    // An interrupted wait starts over with the full timeout; interruptions are rare here.
    while true {
      let count = unsafe poll(bytes.bindMemory(to: pollfd.self).baseAddress, 2, timeoutMilliseconds)
      if count >= 0 { return 0 }
      if errno != EINTR { return errno }
    }
  }
  guard code == 0 else { throw SystemError(call: "poll", code: code) }
  return (entries[0].revents != 0, entries[1].revents != 0)
}

/// Reads available bytes into `buffer`; returns their number, or nil if a nonblocking descriptor has none.
///
/// The corresponding C function is `read`.
public func readAvailable(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int? {
  do throws(SystemError) {
    // SAFETY: the call writes at most buffer.count bytes.
    return try check("read") { unsafe read(fd, buffer.baseAddress, buffer.count) }
  } catch {
    if error.code == EAGAIN { return nil }
    throw error
  }
}

extension SystemError {
  /// Whether the other end of a socket is gone: EPIPE, ECONNRESET or ENOTCONN.
  public var isDisconnection: Bool { code == EPIPE || code == ECONNRESET || code == ENOTCONN }
  /// Whether no process listens at a socket's path: ENOENT or ECONNREFUSED.
  public var isNobodyListening: Bool { code == ENOENT || code == ECONNREFUSED }
  /// Whether this user has no right to it: EACCES or EPERM.
  public var isDenied: Bool { code == EACCES || code == EPERM }
  /// Whether the call should be repeated later: EAGAIN.
  public var isBusy: Bool { code == EAGAIN }
  /// Whether memory or descriptors are exhausted: ENOMEM, ENOSPC, EMFILE or ENFILE.
  public var isShortage: Bool { code == ENOMEM || code == ENOSPC || code == EMFILE || code == ENFILE }
}

/// Sleeps until a time of CLOCK_MONOTONIC; returns at once if it has passed.
///
/// The corresponding C function is `clock_nanosleep(TIMER_ABSTIME)`.
public func sleep(untilNanoseconds deadline: UInt64) {
  var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
  while unsafe clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
}

/// The CPU time of this thread in nanoseconds.
///
/// The corresponding C function is `clock_gettime(CLOCK_THREAD_CPUTIME_ID)`.
public func threadCPUNanoseconds() -> UInt64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
