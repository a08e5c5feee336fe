import CLinux
import Glibc

/// The events of a descriptor.
public struct Readiness: OptionSet, Sendable {
  /// The `EPOLL*` bits.
  public let rawValue: UInt32
  /// A set from its bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// EPOLLIN.
  public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
  /// EPOLLOUT.
  public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
  /// EPOLLHUP: the other end is closed. Always reported.
  public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
  /// EPOLLERR. Always reported.
  public static let failed = Readiness(rawValue: EPOLLERR.rawValue)
  /// EPOLLET: reported once when it becomes ready, whether it is read or not. For interests only.
  public static let edge = Readiness(rawValue: EPOLLET.rawValue)
}

/// An epoll set with handlers, run by one thread.
///
/// A registration has a slot and a generation, so that an event of a descriptor that was removed in the same round, or
/// whose number was reused, is not delivered. Waiting and dispatching do not allocate.
@safe public final class EventLoop {
  /// A registration.
  public struct Source: Equatable, Sendable {
    fileprivate let slot: UInt32
    fileprivate let generation: UInt32
    fileprivate var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
  }

  private struct Slot {
    var generation: UInt32 = 0
    var fd: Int32 = -1
    var handler: ((Readiness) -> Void)?
  }

  /// Called before each wait, to send what the handlers of the round have gathered.
  public var beforeWait: (() -> Void)?

  private let epoll: OwnedFD
  private var slots: [Slot] = []
  private var freeSlots: [UInt32] = []
  private var stopped = false
  private let eventCapacity = 32

  /// The CLOCK_MONOTONIC time at which `onDeadline` is called, up to a millisecond late; the call resets it to nil.
  ///
  /// It is the timeout of the wait itself: a deadline that changes with every frame costs no system call and no
  /// wake-up, unlike a timer.
  public var deadlineNanoseconds: UInt64?
  /// Called when the deadline has passed.
  public var onDeadline: (() -> Void)?
  private let events: UnsafeMutablePointer<epoll_event>

  /// An empty set.
  ///
  /// The corresponding C function is `epoll_create1`.
  public init() throws(SystemError) {
    epoll = OwnedFD(taking: try check("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
    unsafe events = .allocate(capacity: eventCapacity)
    unsafe events.initialize(repeating: epoll_event(), count: eventCapacity)
  }

  deinit { unsafe events.deallocate() }

  /// Calls `handler` on this loop's thread whenever `fd` is ready (level-triggered), until `remove`.
  ///
  /// The caller keeps the descriptor, which must stay open until `remove`.
  public func add(
    _ fd: Int32, _ interest: Readiness = .readable, handler: @escaping (Readiness) -> Void
  ) throws(SystemError) -> Source {
    let index: UInt32
    if let free = freeSlots.popLast() {
      index = free
    } else {
      index = UInt32(slots.count)
      slots.append(Slot())
    }
    let source = Source(slot: index, generation: slots[Int(index)].generation)
    var event = unsafe epoll_event()
    unsafe event.events = interest.rawValue
    unsafe event.data.u64 = source.token
    do {
      try check("epoll_ctl(ADD)") { unsafe epoll_ctl(epoll.raw, EPOLL_CTL_ADD, fd, &event) }
    } catch {
      freeSlots.append(index)
      throw error
    }
    slots[Int(index)].fd = fd
    slots[Int(index)].handler = handler
    return source
  }

  /// Changes the events of a registration.
  public func modify(_ source: Source, _ interest: Readiness) throws(SystemError) {
    guard isLive(source) else { return }
    var event = unsafe epoll_event()
    unsafe event.events = interest.rawValue
    unsafe event.data.u64 = source.token
    let fd = slots[Int(source.slot)].fd
    try check("epoll_ctl(MOD)") { unsafe epoll_ctl(epoll.raw, EPOLL_CTL_MOD, fd, &event) }
  }

  /// Removes a registration; removing it twice is harmless.
  public func remove(_ source: Source) {
    guard isLive(source) else { return }
    _ = epoll_ctl(epoll.raw, EPOLL_CTL_DEL, slots[Int(source.slot)].fd, nil)
    slots[Int(source.slot)].generation &+= 1
    slots[Int(source.slot)].fd = -1
    slots[Int(source.slot)].handler = nil
    freeSlots.append(source.slot)
  }

  /// Waits once and calls the handlers of ready descriptors.
  ///
  /// - Parameter timeoutMilliseconds: -1 to wait forever, 0 not to wait.
  /// - Returns: the number of ready descriptors.
  @discardableResult
  public func runOnce(timeoutMilliseconds: Int32 = -1) throws(SystemError) -> Int {
    beforeWait?()
    let timeout = untilDeadline(atMost: timeoutMilliseconds)
    let count = unsafe epoll_wait(epoll.raw, events, Int32(eventCapacity), timeout)
    if count < 0 {
      if errno == EINTR { return 0 }
      throw SystemError(call: "epoll_wait", code: errno)
    }
    for index in 0..<Int(count) {
      let ready = unsafe Readiness(rawValue: events[index].events)
      let token = unsafe events[index].data.u64
      let source = Source(slot: UInt32(truncatingIfNeeded: token), generation: UInt32(token >> 32))
      guard isLive(source), let handler = slots[Int(source.slot)].handler else { continue }
      handler(ready)
    }
    if let deadline = deadlineNanoseconds, monotonicNanoseconds() >= deadline {
      deadlineNanoseconds = nil
      onDeadline?()
    }
    return Int(count)
  }

  private func untilDeadline(atMost timeoutMilliseconds: Int32) -> Int32 {
    guard let deadline = deadlineNanoseconds else { return timeoutMilliseconds }
    let now = monotonicNanoseconds()
    let remaining = deadline > now ? Int32(clamping: (deadline - now + 999_999) / 1_000_000) : 0
    return timeoutMilliseconds < 0 ? remaining : min(remaining, timeoutMilliseconds)
  }

  /// Waits and dispatches until `stop` is called from a handler.
  public func run() throws(SystemError) {
    stopped = false
    while !stopped { try runOnce() }
  }

  /// Ends `run` after this round's handlers.
  public func stop() { stopped = true }

  private func isLive(_ source: Source) -> Bool {
    Int(source.slot) < slots.count && slots[Int(source.slot)].generation == source.generation
      && slots[Int(source.slot)].fd >= 0
  }
}
