/// Virtual time of start-time fair queueing (Goyal, Vin, Cheng 1996), 20 fractional bits.
///
/// A VM's start tag is `max(v, F)`, its finish tag `F = start + cost / weight`; the least start is served and becomes
/// `v`. A VM gains nothing by sleeping, and one that leaves in debt finds its debt again when it comes back.
struct FairClock: Sendable {
  static let fractionBits: Int64 = 20
  /// At this value all tags are shifted down, so that they never overflow.
  static let rebaseLimit: Int64 = 1 << 61

  private struct Departed {
    var owner: UInt64
    var finish: Int64
  }

  /// The virtual time.
  private(set) var now: Int64 = 0
  /// How far the virtual time was shifted down up to now, in units of 2^20.
  private(set) var rebased: Int64 = 0
  private var departed: [Departed] = []
  private let departedLimit: Int

  init(maximumVMCount: Int) {
    departedLimit = maximumVMCount
    departed.reserveCapacity(maximumVMCount)
  }

  /// The virtual time of `cost` nanoseconds for a VM of this weight.
  static func share(of cost: Nanoseconds, weight: Int64) -> Int64 { (cost << fractionBits) / weight }

  mutating func advance(to start: Int64) {
    now = max(now, start)
  }

  /// At the end of a busy period the virtual time is that of the latest finish, so that old debts end with it.
  mutating func settle(isBusy: Bool, over vms: [VMState]) {
    guard !isBusy else { return }
    var latest = now
    for vm in vms.indices {
      if vms[vm].slot != nil || vms[vm].working != nil { return }
      latest = max(latest, vms[vm].finish)
    }
    now = latest
  }

  /// Stores the debt of a VM's owner when the VM leaves.
  mutating func leave(owner: UInt64, finish: Int64) {
    guard finish > now else { return }
    departed.removeAll { $0.finish <= now }
    if let known = departed.firstIndex(where: { $0.owner == owner }) {
      departed[known].finish = max(departed[known].finish, finish)
    } else if departed.count < departedLimit {
      departed.append(Departed(owner: owner, finish: finish))
    } else if let least = departed.indices.min(by: { departed[$0].finish < departed[$1].finish }),
      departed[least].finish < finish
    {
      departed[least] = Departed(owner: owner, finish: finish)
    }
  }

  /// The finish tag with which a VM of this owner begins.
  mutating func join(owner: UInt64) -> Int64 {
    guard let known = departed.firstIndex(where: { $0.owner == owner }) else { return now }
    return max(now, departed.remove(at: known).finish)
  }

  /// The amount to take off every tag, when the virtual time has grown too large.
  mutating func rebase() -> Int64? {
    guard now >= Self.rebaseLimit else { return nil }
    let amount = now
    rebased += amount >> Self.fractionBits
    now = 0
    for position in departed.indices { departed[position].finish -= amount }
    return amount
  }
}
