extension MemoryAdmission {
  /// Admits a VM that will use at most `maximumBytes`, or suspends it until there is room for its overhead and its
  /// `initialBytes`.
  ///
  /// A maximum above the whole capacity is refused at once.
  public mutating func addVM(
    _ vm: VMID, maximumBytes: Int64, initialBytes: Int64 = 0, at now: Nanoseconds
  ) -> MemoryReply {
    guard maximumBytes >= 0, initialBytes >= 0 else { return .refused(.byteCountOutOfRange) }
    guard initialBytes <= maximumBytes else { return .refused(.exceedsMaximum(remainingBytes: maximumBytes)) }
    let largest = max(0, capacityBytes - overheadBytesPerVM)
    guard maximumBytes <= largest else { return .refused(.exceedsCapacity(largestBytes: largest)) }
    guard account(of: vm) == nil, !suspended.contains(where: { $0.vm == vm && $0.isAdmission }) else {
      return .refused(.duplicateVM)
    }
    return enter(vm, maximumBytes, isAdmission: true, initialBytes: initialBytes, at: now)
  }

  /// Asks for memory for a VM.
  ///
  /// Granted at once, or suspended if another order of events could end in a deadlock or there is not enough, or
  /// refused if it is more than the VM declared. A refusal changes nothing.
  public mutating func request(
    _ vm: VMID, byteCount: Int64, at now: Nanoseconds
  ) -> MemoryReply {
    guard byteCount >= 0 else { return .refused(.byteCountOutOfRange) }
    guard let position = account(of: vm) else { return .refused(.unknownVM) }
    let waiting = suspended.reduce(Int64(0)) { $1.vm == vm ? $0 + $1.byteCount : $0 }
    let remaining = accounts[position].maximum - accounts[position].used - waiting
    guard byteCount <= remaining else { return .refused(.exceedsMaximum(remainingBytes: max(0, remaining))) }
    return enter(vm, byteCount, isAdmission: false, at: now)
  }

  /// Returns memory of a VM, and appends the requests granted by that to `decisions`. Memory that is `onScreen` counts
  /// until `leftScreen` names it.
  ///
  /// More than the VM has counts as all that it has.
  public mutating func free(
    _ vm: VMID, byteCount: Int64, onScreen: Bool = false, at now: Nanoseconds,
    into decisions: inout [MemoryDecision]
  ) {
    guard let position = account(of: vm), byteCount > 0 else { return }
    let amount = min(byteCount, accounts[position].used - accounts[position].lingering)
    if onScreen {
      accounts[position].lingering += amount
      return
    }
    accounts[position].used -= amount
    resume(at: now, into: &decisions)
  }

  /// Freed buffers have left the screen: their bytes are free.
  public mutating func leftScreen(
    _ vm: VMID, byteCount: Int64, at now: Nanoseconds, into decisions: inout [MemoryDecision]
  ) {
    guard byteCount > 0 else { return }
    if let position = account(of: vm), accounts[position].lingering > 0 {
      let amount = min(byteCount, accounts[position].lingering)
      accounts[position].lingering -= amount
      accounts[position].used -= amount
    } else {
      orphanedBytes -= min(byteCount, orphanedBytes)
    }
    resume(at: now, into: &decisions)
  }

  /// Ends a VM: all its memory is free but `onScreenBytes`, and its suspended requests are gone.
  public mutating func removeVM(
    _ vm: VMID, onScreenBytes: Int64 = 0, at now: Nanoseconds, into decisions: inout [MemoryDecision]
  ) {
    suspended.removeAll { $0.vm == vm }
    if let position = account(of: vm) {
      let account = accounts.remove(at: position)
      orphanedBytes += min(account.used, max(account.lingering, onScreenBytes))
    }
    resume(at: now, into: &decisions)
  }

  /// Grants a VM more for a buffer that is larger than requested, if that is safe: its request was granted already, so
  /// it does not queue.
  public mutating func extend(_ vm: VMID, byByteCount byteCount: Int64) -> Bool {
    guard byteCount >= 0, let position = account(of: vm),
      byteCount <= accounts[position].maximum - accounts[position].used
    else { return false }
    return grant(
      Request(ticket: MemoryTicket(rawValue: 0), vm: vm, byteCount: byteCount, since: 0, isAdmission: false))
  }

  /// Withdraws a suspended request; false if it is no longer suspended.
  @discardableResult
  public mutating func withdraw(
    _ ticket: MemoryTicket, at now: Nanoseconds, into decisions: inout [MemoryDecision]
  ) -> Bool {
    guard let place = suspended.firstIndex(where: { $0.ticket == ticket }) else { return false }
    suspended.remove(at: place)
    resume(at: now, into: &decisions)
    return true
  }

  /// Refuses requests that were suspended for too long.
  public mutating func expire(at now: Nanoseconds, into decisions: inout [MemoryDecision]) {
    guard let suspendedTimeoutNanoseconds else { return }
    var position = 0
    while position < suspended.count {
      guard suspended[position].since + suspendedTimeoutNanoseconds <= now else {
        position += 1
        continue
      }
      let request = suspended.remove(at: position)
      decisions.append(MemoryDecision(ticket: request.ticket, vm: request.vm, reply: .refused(.timedOut)))
    }
    resume(at: now, into: &decisions)
  }

  private mutating func enter(
    _ vm: VMID, _ byteCount: Int64, isAdmission: Bool, initialBytes: Int64 = 0, at now: Nanoseconds
  ) -> MemoryReply {
    let ticket = MemoryTicket(rawValue: nextTicket)
    let request = Request(
      ticket: ticket, vm: vm, byteCount: byteCount, since: now, isAdmission: isAdmission, initialBytes: initialBytes)
    // A request of a VM with suspended ones waits behind them; others may pass, if the selection allows it.
    let mustQueue = suspended.contains { $0.vm == vm } || (isStrict(at: now) && !mayPassOldest(request))
    if !mustQueue, grant(request) { return .granted }
    guard suspended.count < Self.maximumSuspendedCount else { return .refused(.queueIsFull) }
    nextTicket += 1
    suspended.append(request)
    return .suspended(ticket)
  }

  /// Grants a request if that is safe.
  mutating func grant(_ request: Request) -> Bool {
    if request.isAdmission {
      guard accounts.count < Self.maximumVMCount else { return false }
      accounts.append(
        Account(vm: request.vm, maximum: request.byteCount, used: request.initialBytes, lingering: 0))
      if isSafe(whileHolding: 0, for: nil) { return true }
      accounts.removeLast()
      return false
    }
    guard let position = account(of: request.vm) else { return false }
    guard isSafe(whileHolding: request.byteCount, for: position) else { return false }
    accounts[position].used += request.byteCount
    return true
  }
}
