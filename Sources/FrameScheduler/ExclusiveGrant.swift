/// The sole use of an output: grant, queue, watchdog, max-hold, revoke.
///
/// At most one VM holds the output. With equal priority the queue is first come, first served. A holder whose hold is a
/// DRM lease must return it before the next VM is granted.
public struct ExclusiveGrant: Sendable {
  /// The state of the output.
  public enum State: Hashable, Sendable {
    /// The output has no holder.
    case free
    /// A VM has it.
    case granted(VMID)
    /// A VM's lease is being revoked; then the output goes to the first waiter.
    case revoking(VMID)
  }

  /// A VM that waits.
  public struct Waiter: Hashable, Sendable {
    /// Who.
    public let vm: VMID
    /// The higher goes first.
    public let priority: Int
    /// Whether it gets the output as a DRM lease.
    public let asLease: Bool
  }

  /// The state.
  public private(set) var state = State.free
  /// The VMs that wait, the next one first.
  public private(set) var waiters: [Waiter] = []
  /// The time of the last change of state.
  public private(set) var since: Nanoseconds = 0
  /// The longest hold while others wait; `nil` for no limit. A VM cannot extend it.
  public var maximumHoldNanoseconds: Nanoseconds?
  /// The time without a ready frame after which the holder counts as hung; `nil` for never. A hung holder loses the
  /// output to the next waiter; without one, the host's picture hides it.
  public var watchdogNanoseconds: Nanoseconds?
  /// Whether the holder is hung.
  public private(set) var isHung = false
  private var holdsLease = false
  private var lastReady: Nanoseconds = 0

  init(capacity: Int) {
    waiters.reserveCapacity(capacity)
  }

  /// The VM whose frames go on screen.
  public var holder: VMID? {
    if case .granted(let vm) = state { return vm }
    return nil
  }

  /// Whether a lessee commits to the output itself, so that the host must not.
  public var isLeased: Bool {
    switch state {
    case .free: false
    case .granted: holdsLease
    case .revoking: true
    }
  }

  /// The next time at which something happens by itself.
  var deadline: Nanoseconds? {
    guard case .granted = state else { return nil }
    var earliest: Nanoseconds?
    if let maximumHoldNanoseconds, !waiters.isEmpty { earliest = since + maximumHoldNanoseconds }
    if let watchdogNanoseconds, !isHung, !holdsLease {
      earliest = min(earliest ?? .max, lastReady + watchdogNanoseconds)
    }
    return earliest
  }

  mutating func request(_ vm: VMID, priority: Int, asLease: Bool, at now: Nanoseconds) {
    if holder == vm || waiters.contains(where: { $0.vm == vm }) { return }
    let place = waiters.firstIndex { $0.priority < priority } ?? waiters.count
    waiters.insert(Waiter(vm: vm, priority: priority, asLease: asLease), at: place)
    grantNext(at: now)
  }

  /// Gives the output to a VM before all waiters, by the host's command.
  mutating func focus(_ vm: VMID, asLease: Bool, at now: Nanoseconds) -> VMID? {
    if holder == vm { return nil }
    waiters.removeAll { $0.vm == vm }
    waiters.insert(Waiter(vm: vm, priority: .max, asLease: asLease), at: 0)
    return end(at: now)
  }

  /// The VM is gone, and with it its lease.
  mutating func remove(_ vm: VMID, at now: Nanoseconds) {
    waiters.removeAll { $0.vm == vm }
    switch state {
    case .granted(vm), .revoking(vm): vacate(at: now)
    case .free, .granted, .revoking: break
    }
  }

  mutating func noteReady(_ vm: VMID, at now: Nanoseconds) {
    guard holder == vm else { return }
    lastReady = now
    isHung = false
  }

  /// Ends a hold that is over. Returns a lease to revoke.
  mutating func expire(at now: Nanoseconds) -> VMID? {
    guard let deadline, deadline <= now else { return nil }
    if let maximumHoldNanoseconds, !waiters.isEmpty, since + maximumHoldNanoseconds <= now { return end(at: now) }
    isHung = true
    return !waiters.isEmpty ? end(at: now) : nil
  }

  /// The kernel has taken the lease back.
  mutating func leaseReturned(at now: Nanoseconds) {
    switch state {
    case .revoking: vacate(at: now)
    case .granted where holdsLease: vacate(at: now)
    case .free, .granted: break
    }
  }

  /// Ends the hold, over the revoking of the lease if it is one.
  mutating func end(at now: Nanoseconds) -> VMID? {
    guard case .granted(let vm) = state else {
      grantNext(at: now)
      return nil
    }
    guard holdsLease else {
      vacate(at: now)
      return nil
    }
    state = .revoking(vm)
    since = now
    return vm
  }

  private mutating func vacate(at now: Nanoseconds) {
    state = .free
    since = now
    holdsLease = false
    isHung = false
    grantNext(at: now)
  }

  private mutating func grantNext(at now: Nanoseconds) {
    guard state == .free, !waiters.isEmpty else { return }
    let next = waiters.removeFirst()
    state = .granted(next.vm)
    holdsLease = next.asLease
    since = now
    lastReady = now
    isHung = false
  }
}
