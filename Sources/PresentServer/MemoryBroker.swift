import DaemonSettings
import FrameScheduler
import LinuxIO

/// Shares the memory for buffers among the clients.
///
/// `MemoryAdmission` decides; what it decides while others are at work is gathered, and carried out by `settle` before
/// the loop waits.
final class MemoryBroker {
  typealias Settings = MemorySettings

  private(set) var settings: Settings
  private(set) var admission: MemoryAdmission
  /// Bytes of buffers that there are.
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

  /// The most that one client can have.
  var largestBytes: Int { max(0, settings.capacityBytes - settings.overheadBytes) }

  func open() -> MemoryAccount {
    lastID &+= 1
    return MemoryAccount(VMID(lastID), limitBytes: settings.limitBytes, broker: self)
  }

  private var now: Nanoseconds { Nanoseconds(truncatingIfNeeded: clock.nowNanoseconds) }

  // MARK: - Settings

  /// What a client may have, by the settings that shall be.
  struct Limit {
    var account: MemoryAccount
    var byteCount: Int
  }

  /// The least capacity that could be in these settings' place; nil where theirs will do: what clients hold and may still
  /// ask for must have a safe order.
  func leastCapacity(_ wanted: Settings, _ limits: [Limit]) -> Int? {
    admission.leastCapacity(
      capacityBytes: Int64(wanted.capacityBytes), overheadBytesPerVM: Int64(wanted.overheadBytes),
      maxima: maxima(wanted, limits)
    ).map { Int($0) }
  }

  /// The most that a client could be promised, with the others' limits as they are.
  func largestLimit(of account: MemoryAccount) -> Int { Int(admission.largestSafeMaximum(of: account.id)) }

  /// Takes settings that can be, with every client's limit.
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

  /// Lets a client in with its first request.
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

  /// False where it has been granted already: then it is given back when that is settled.
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

  /// Whether something was decided that is not carried out yet.
  var hasDecisions: Bool { !decisions.isEmpty }

  /// Carries out what was decided. `body` says whether the client still wants it.
  func settle(_ body: (MemoryDecision) -> Bool) {
    // What is carried out may free memory, and so bring further decisions.
    while !decisions.isEmpty {
      let decision = decisions.removeFirst()
      let byteCount = sizes.removeValue(forKey: decision.ticket) ?? 0
      if !body(decision), decision.reply == .granted {
        admission.free(decision.vm, byteCount: byteCount, at: now, into: &decisions)
      }
    }
  }
}

/// Bytes of buffers that one client holds; those that are destroyed but still on screen included.
final class MemoryAccount {
  let id: VMID
  fileprivate(set) var limitBytes: Int
  fileprivate(set) var usedBytes = 0
  /// The first request, with which the client waits to be let in; all others wait behind it.
  private(set) var admissionTicket: MemoryTicket?
  private var hasEntered = false
  fileprivate var hasEnded = false
  private let broker: MemoryBroker

  fileprivate init(_ id: VMID, limitBytes: Int, broker: MemoryBroker) {
    self.id = id
    self.limitBytes = min(limitBytes, broker.largestBytes)
    self.broker = broker
  }

  /// Sets what the client may hold, before it asks for anything.
  func limit(to byteCount: Int) { limitBytes = min(byteCount, broker.largestBytes) }

  /// The client is gone; buffers that are on screen count until they have left.
  func end() {
    if hasEnded { return }
    broker.end(self)
    hasEnded = true
  }

  /// Asks for so many bytes. With the first ones the client's overhead counts.
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

  /// A request has its decision.
  func decided(_ decision: MemoryDecision) {
    guard decision.ticket == admissionTicket else { return }
    admissionTicket = nil
    hasEntered = decision.reply == .granted
  }

  /// Asks for more for a buffer whose memory was granted, where that can be at once.
  func extend(by byteCount: Int) -> Bool { broker.extend(self, by: byteCount) }

  /// Does not wait any more.
  func withdraw(_ ticket: MemoryTicket) {
    let isGranted = !broker.withdraw(ticket)
    guard ticket == admissionTicket else { return }
    admissionTicket = nil
    hasEntered = isGranted
  }

  /// Why so many bytes cannot be had; nil: they could be had later.
  func text(_ byteCount: Int, _ why: MemoryRefusal?) -> String {
    switch why {
    case .exceedsMaximum?:
      return "\(byteCount) bytes more than the \(usedBytes) held would exceed the limit of \(limitBytes) bytes"
    case .queueIsFull?: return "too many requests for memory wait already"
    case nil, .exceedsCapacity?, .unknownVM?, .duplicateVM?, .byteCountOutOfRange?, .timedOut?:
      return "\(byteCount) bytes more cannot be had now: all hold \(broker.usedBytes) of the daemon's "
        + "\(broker.settings.capacityBytes) bytes, and the rest is kept so that nobody has to wait for ever"
    }
  }

  /// Gives back what was granted and not charged.
  func giveBack(_ byteCount: Int) { if byteCount > 0 { broker.free(byteCount, self) } }

  /// A buffer has come of bytes that were granted.
  func charge(_ byteCount: Int) {
    usedBytes += byteCount
    broker.usedBytes += byteCount
  }

  /// A buffer is gone.
  func discharge(_ byteCount: Int) {
    usedBytes -= byteCount
    broker.usedBytes -= byteCount
    giveBack(byteCount)
  }
}

extension MemorySettings {
  /// For buffers of all clients together; as much as a number holds where there is no limit.
  var capacityBytes: Int { capacityLimitBytes ?? .max }

  /// Whether memory that clients import counts as that which the daemon makes for them.
  var countsImports: Bool { imports == .counted }
}
