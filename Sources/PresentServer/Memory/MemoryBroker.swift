import DaemonSettings
import FrameScheduler
import LinuxIO

/// Shares the memory for buffers among the clients.
///
/// `MemoryAdmission` decides. Decisions made during other work are queued, and carried out by `settle` before the loop
/// waits.
final class MemoryBroker {
  typealias Settings = MemorySettings

  private(set) var settings: Settings
  private(set) var admission: MemoryAdmission
  /// Bytes of all existing buffers.
  fileprivate(set) var usedBytes = 0
  private var decisions: [MemoryDecision] = []
  private var sizes: [MemoryTicket: Int64] = [:]
  private var lastID: UInt32 = 0
  private let clock: PresentClock

  init(limitBytes: Int, clock: PresentClock) {
    self.clock = clock
    settings = Settings(limitBytes: limitBytes)
    admission = MemoryAdmission(
      capacityBytes: Int64(settings.capacityBytes), overheadBytesPerVM: Int64(settings.overheadBytes),
      selection: settings.selection, seed: monotonicNanoseconds())
  }

  /// The largest limit of one client.
  var largestBytes: Int { max(0, settings.capacityBytes - settings.overheadBytes) }

  func open() -> MemoryAccount {
    lastID &+= 1
    return MemoryAccount(VMID(lastID), limitBytes: settings.limitBytes, broker: self)
  }

  private var now: Nanoseconds { Nanoseconds(truncatingIfNeeded: clock.nowNanoseconds) }

  // MARK: - Settings

  /// A client's limit under the proposed settings.
  struct Limit {
    var account: MemoryAccount
    var byteCount: Int
  }

  /// The smallest capacity that would be accepted instead of the proposed one; nil if the proposed one is sufficient.
  /// A capacity is sufficient if there is a safe order for all that clients hold and may still request.
  func leastCapacity(_ wanted: Settings, _ limits: [Limit]) -> Int? {
    admission.leastCapacity(
      capacityBytes: Int64(wanted.capacityBytes), overheadBytesPerVM: Int64(wanted.overheadBytes),
      maxima: maxima(wanted, limits)
    ).map { Int($0) }
  }

  /// The largest limit that a client could get, with the others' limits unchanged.
  func largestLimit(of account: MemoryAccount) -> Int { Int(admission.largestSafeMaximum(of: account.id)) }

  /// Applies checked settings, with every client's limit.
  func take(_ wanted: Settings, _ limits: [Limit]) {
    settings = wanted
    admission.selection = wanted.selection
    for limit in limits { limit.account.limitBytes = min(limit.byteCount, largestBytes) }
    admission.setLimits(
      capacityBytes: Int64(wanted.capacityBytes), overheadBytesPerVM: Int64(wanted.overheadBytes),
      maxima: maxima(wanted, limits), at: now, into: &decisions)
  }

  private func maxima(_ wanted: Settings, _ limits: [Limit]) -> [(vm: VMID, bytes: Int64)] {
    let largest = max(0, wanted.capacityBytes - wanted.overheadBytes)
    return limits.map { ($0.account.id, Int64(min($0.byteCount, largest))) }
  }

  // MARK: - Requests

  /// Admits a client with its first request.
  fileprivate func admit(_ account: MemoryAccount, _ byteCount: Int) -> MemoryReply {
    let reply = admission.addVM(
      account.id, maximumBytes: Int64(account.limitBytes), initialBytes: Int64(byteCount), at: now)
    if case .suspended(let ticket) = reply { sizes[ticket] = Int64(byteCount) }
    return reply
  }

  fileprivate func request(_ byteCount: Int, _ account: MemoryAccount) -> MemoryReply {
    let reply = admission.request(account.id, byteCount: Int64(byteCount), at: now)
    if case .suspended(let ticket) = reply { sizes[ticket] = Int64(byteCount) }
    return reply
  }

  fileprivate func extend(_ account: MemoryAccount, by byteCount: Int) -> Bool {
    admission.extend(account.id, byByteCount: Int64(byteCount))
  }

  /// Withdraws a request; false if it has been granted already, and is then freed by `settle`.
  fileprivate func withdraw(_ ticket: MemoryTicket) -> Bool {
    guard admission.withdraw(ticket, at: now, into: &decisions) else { return false }
    sizes[ticket] = nil
    return true
  }

  fileprivate func free(_ byteCount: Int, _ account: MemoryAccount) {
    if account.hasEnded {
      admission.leftScreen(account.id, byteCount: Int64(byteCount), at: now, into: &decisions)
    } else {
      admission.free(account.id, byteCount: Int64(byteCount), at: now, into: &decisions)
    }
  }

  fileprivate func end(_ account: MemoryAccount) {
    admission.removeVM(account.id, onScreenBytes: Int64(account.usedBytes), at: now, into: &decisions)
  }

  /// Whether decisions are waiting to be carried out.
  var hasDecisions: Bool { !decisions.isEmpty }

  /// Carries out decisions. `body` returns whether the client still needs the memory.
  func settle(_ body: (MemoryDecision) -> Bool) {
    // Carrying out a decision may free memory and cause further decisions.
    while !decisions.isEmpty {
      let decision = decisions.removeFirst()
      let byteCount = sizes.removeValue(forKey: decision.ticket) ?? 0
      if !body(decision), decision.reply == .granted {
        admission.free(decision.vm, byteCount: byteCount, at: now, into: &decisions)
      }
    }
  }
}

/// The buffers of one client in bytes, including destroyed ones that are still on screen.
final class MemoryAccount {
  let id: VMID
  fileprivate(set) var limitBytes: Int
  fileprivate(set) var usedBytes = 0
  /// The ticket of the first request while the client waits for admission; all others wait behind it.
  private(set) var admissionTicket: MemoryTicket?
  private var hasEntered = false
  fileprivate var hasEnded = false
  private let broker: MemoryBroker

  fileprivate init(_ id: VMID, limitBytes: Int, broker: MemoryBroker) {
    self.id = id
    self.limitBytes = min(limitBytes, broker.largestBytes)
    self.broker = broker
  }

  /// Sets the client's limit, before its first request.
  func limit(to byteCount: Int) { limitBytes = min(byteCount, broker.largestBytes) }

  /// Ends the account of a disconnected client; buffers on screen count until they have left.
  func end() {
    if hasEnded { return }
    broker.end(self)
    hasEnded = true
  }

  /// Requests bytes. The first request also counts the client's overhead.
  func request(_ byteCount: Int) -> MemoryReply {
    if hasEntered { return broker.request(byteCount, self) }
    let reply = broker.admit(self, byteCount)
    switch reply {
    case .granted: hasEntered = true
    case .suspended(let ticket): admissionTicket = ticket
    case .refused: break
    }
    return reply
  }

  /// Records the decision about a request.
  func decided(_ decision: MemoryDecision) {
    guard decision.ticket == admissionTicket else { return }
    admissionTicket = nil
    hasEntered = decision.reply == .granted
  }

  /// Extends a granted buffer; false if there is not enough memory now.
  func extend(by byteCount: Int) -> Bool { broker.extend(self, by: byteCount) }

  /// Withdraws a waiting request.
  func withdraw(_ ticket: MemoryTicket) {
    let isGranted = !broker.withdraw(ticket)
    guard ticket == admissionTicket else { return }
    admissionTicket = nil
    hasEntered = isGranted
  }

  /// The message for a refused request; nil for `why`: the memory may become available later.
  func text(_ byteCount: Int, _ why: MemoryRefusal?) -> String {
    switch why {
    case .exceedsMaximum?:
      return "\(byteCount) bytes more than the \(usedBytes) held would exceed the limit of \(limitBytes) bytes"
    case .queueIsFull?: return "too many requests for memory are waiting already"
    case nil, .exceedsCapacity?, .unknownVM?, .duplicateVM?, .byteCountOutOfRange?, .timedOut?:
      return "\(byteCount) bytes more are not available now: all clients hold \(broker.usedBytes) of the daemon's "
        + "\(broker.settings.capacityBytes) bytes, and the rest is reserved to avoid deadlock"
    }
  }

  /// Returns bytes that were granted but not charged.
  func giveBack(_ byteCount: Int) { if byteCount > 0 { broker.free(byteCount, self) } }

  /// Charges granted bytes to a new buffer.
  func charge(_ byteCount: Int) {
    usedBytes += byteCount
    broker.usedBytes += byteCount
  }

  /// Frees the bytes of a buffer.
  func discharge(_ byteCount: Int) {
    usedBytes -= byteCount
    broker.usedBytes -= byteCount
    giveBack(byteCount)
  }
}

extension MemorySettings {
  /// The limit for buffers of all clients together; the largest number if there is no limit.
  var capacityBytes: Int { capacityLimitBytes ?? .max }

  /// Whether imported buffers count as host buffers do.
  var countsImports: Bool { imports == .counted }
}
