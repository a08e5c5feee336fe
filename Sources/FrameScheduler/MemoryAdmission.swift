/// Which suspended request is served first when memory is freed (ConVGPU, CLUSTER 2017).
public enum MemorySelection: String, Hashable, Sendable, Codable, CaseIterable {
  /// The oldest request.
  case fifo
  /// The largest request that fits.
  case bestFit
  /// The youngest request.
  case recentUse
  /// Any that fits, by a seeded generator.
  case random
  /// As `bestFit`, but the longer a request waits the larger it counts; after one second strictly the oldest first.
  case agingBestFit
}

/// Shares a fixed amount of graphics memory among VMs without deadlock.
///
/// Each VM declares the most that it will ever use. A request is granted if it stays within that and the state after it
/// is safe in the sense of Dijkstra's banker: there is an order in which every VM could still get its maximum and end.
/// Otherwise the request is suspended; no VM is killed. The fixed overhead of every VM counts. Where the selection is
/// strict (`fifo`, an aged request of `agingBestFit`), VMs that come before the oldest request's in the banker's order
/// may still go past it: it waits for them to end, so that they must not wait for it.
///
/// Control plane, one caller at a time.
public struct MemoryAdmission: Sendable {
  /// The most VMs that can have memory.
  public static let maximumVMCount = 512
  /// The most requests that can be suspended.
  public static let maximumSuspendedCount = 1_024

  /// The memory to share.
  public internal(set) var capacityBytes: Int64
  /// The overhead of every VM besides its buffers.
  public internal(set) var overheadBytesPerVM: Int64
  /// Which suspended request goes first.
  public var selection: MemorySelection
  /// After this time a suspended request is refused (`t_max`); `nil` is never.
  public var suspendedTimeoutNanoseconds: Nanoseconds?

  var accounts: [Account] = []
  var suspended: [Request] = []
  /// Bytes of removed VMs whose buffers are still on screen.
  var orphanedBytes: Int64 = 0
  var nextTicket: UInt64 = 1
  var randomState: UInt64
  /// The accounts' places by remaining need as it was last; nearly in order, so that sorting it again is quick.
  var order: [Int] = []

  struct Account: Sendable {
    var vm: VMID
    var maximum: Int64
    var used: Int64
    /// The part of `used` that was freed by the VM but is still on screen.
    var lingering: Int64
  }

  struct Request: Sendable {
    var ticket: MemoryTicket
    var vm: VMID
    var byteCount: Int64
    var since: Nanoseconds
    /// The VM itself waits for admission; `byteCount` is then its declared maximum.
    var isAdmission: Bool
    /// The initial bytes of an admitted VM.
    var initialBytes: Int64 = 0
    /// What counts as its size among others that wait.
    var grantedBytes: Int64 { initialBytes > 0 ? initialBytes : byteCount }
  }

  /// Shares `capacityBytes`; `seed` is for `MemorySelection.random`.
  public init(capacityBytes: Int64, overheadBytesPerVM: Int64, selection: MemorySelection, seed: UInt64 = 0) {
    self.capacityBytes = max(0, capacityBytes)
    self.overheadBytesPerVM = max(0, overheadBytesPerVM)
    self.selection = selection
    randomState = seed
    accounts.reserveCapacity(64)
    order.reserveCapacity(64)
  }

  /// The free memory in bytes.
  public var freeBytes: Int64 {
    accounts.reduce(capacityBytes - orphanedBytes) { $0 - $1.used - overheadBytesPerVM }
  }

  /// A VM's memory, including freed buffers that are still on screen.
  public func usedBytes(of vm: VMID) -> Int64? { account(of: vm).map { accounts[$0].used } }

  /// How many requests are suspended.
  public var suspendedCount: Int { suspended.count }

  /// The number of admitted VMs.
  public var vmCount: Int { accounts.count }

  /// The next time at which a suspended request runs out, for a timer.
  public var nextTimeout: Nanoseconds? {
    guard let suspendedTimeoutNanoseconds else { return nil }
    return suspended.map(\.since).min().map { $0 + suspendedTimeoutNanoseconds }
  }

  /// Whether every VM could still get its maximum, one after the other.
  public var isSafe: Bool {
    mutating get { isSafe(whileHolding: 0, for: nil) }
  }

  func account(of vm: VMID) -> Int? { accounts.firstIndex { $0.vm == vm } }

  /// The banker's test, as if `byteCount` more were granted to the account at `position`. With one kind of resource
  /// the order of least remaining need is an order if any is.
  mutating func isSafe(whileHolding byteCount: Int64, for position: Int?) -> Bool {
    var available = freeBytes - byteCount
    guard available >= 0 else { return false }
    sortOrder(byteCount, position)
    for place in order {
      guard remainingNeed(place, byteCount, position) <= available else { return false }
      available += accounts[place].used + overheadBytesPerVM + (place == position ? byteCount : 0)
    }
    return true
  }

  /// The least need first, as if `byteCount` more were granted to the account at `position`.
  mutating func sortOrder(_ byteCount: Int64 = 0, _ position: Int? = nil) {
    if order.count != accounts.count {
      order.removeAll(keepingCapacity: true)
      order.append(contentsOf: accounts.indices)
    }
    for next in order.indices {
      let place = order[next]
      let need = remainingNeed(place, byteCount, position)
      var slot = next
      while slot > 0, remainingNeed(order[slot - 1], byteCount, position) > need {
        order[slot] = order[slot - 1]
        slot -= 1
      }
      order[slot] = place
    }
  }

  func remainingNeed(_ place: Int, _ byteCount: Int64 = 0, _ position: Int? = nil) -> Int64 {
    max(0, accounts[place].maximum - accounts[place].used - (place == position ? byteCount : 0))
  }
}

/// The number of a suspended request.
public struct MemoryTicket: RawRepresentable, Hashable, Comparable, Sendable {
  /// The number; a later request has a greater one.
  public let rawValue: UInt64

  /// Makes a ticket from its number.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Orders tickets by age, the oldest first.
  public static func < (left: MemoryTicket, right: MemoryTicket) -> Bool { left.rawValue < right.rawValue }
}

/// The answer to a request for memory.
public enum MemoryReply: Hashable, Sendable {
  /// It is the VM's.
  case granted
  /// It waits; a `MemoryDecision` with this ticket follows.
  case suspended(MemoryTicket)
  /// It can never be granted; nothing has changed.
  case refused(MemoryRefusal)
}

/// Why memory was refused.
public enum MemoryRefusal: Hashable, Sendable {
  /// The VM's maximum, or the VM with its overhead, is more than there is; `largestBytes` is what would fit.
  case exceedsCapacity(largestBytes: Int64)
  /// The VM would exceed its declared maximum.
  case exceedsMaximum(remainingBytes: Int64)
  /// No such VM, or it was not admitted yet.
  case unknownVM
  /// The VM was admitted already, or waits.
  case duplicateVM
  /// Too many requests are suspended.
  case queueIsFull
  /// A negative number of bytes.
  case byteCountOutOfRange
  /// It was suspended for too long: `ERR_OUT_OF_MEMORY` to the guest.
  case timedOut
}

/// The end of a request that was suspended.
public struct MemoryDecision: Hashable, Sendable {
  /// Which request.
  public let ticket: MemoryTicket
  /// Whose.
  public let vm: VMID
  /// Whether it was granted, and if not, why.
  public let reply: MemoryReply
}
