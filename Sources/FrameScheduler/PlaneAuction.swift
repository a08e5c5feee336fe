/// A VM's bid for a plane.
public struct PlaneBid: Hashable, Sendable {
  /// Who.
  public var vm: VMID
  /// The bytes that need not be copied for each of its frames.
  public var byteCount: Int64
  /// The frames per 1000 seconds that it announces.
  public var announcedMillihertz: Int64
  /// The frames per 1000 seconds that the scheduler grants it; announcing more gains nothing.
  public var grantedMillihertz: Int64
  /// Its weight, 1 to 10 000.
  public var weight: Int64
  /// The planes that can show its format and size, one bit each.
  public var planes: UInt64
  /// Identifies format, modifier, sizes, scale and position, on which a TEST_ONLY commit depends.
  public var signature: UInt64

  /// Describes a bid.
  public init(
    vm: VMID, byteCount: Int64, announcedMillihertz: Int64, grantedMillihertz: Int64, weight: Int64, planes: UInt64,
    signature: UInt64
  ) {
    self.vm = vm
    self.byteCount = byteCount
    self.announcedMillihertz = announcedMillihertz
    self.grantedMillihertz = grantedMillihertz
    self.weight = weight
    self.planes = planes
    self.signature = signature
  }

  /// Bytes saved per second at the granted rate, times the weight; saturates.
  public var value: Int64 {
    let rate = max(0, min(announcedMillihertz, grantedMillihertz))
    let (saved, isLarge) = max(0, byteCount).multipliedReportingOverflow(by: rate)
    guard !isLarge else { return .max }
    let (value, isLarger) = (saved / 1_000).multipliedReportingOverflow(by: weight)
    return isLarger ? .max : value
  }
}

/// Gives an output's overlay planes to the VMs for which they save the most copying.
///
/// The caller asks for a proposal at most once a vblank, tests it with TEST_ONLY, and reports the answer. Refused
/// combinations are cached for a time that doubles up to 10 s, so that a VM with an impossible format does not cost a
/// test per frame. Control plane: bids may be up to 64; no call allocates once storage is reserved.
public struct PlaneAuction: Sendable {
  /// The assignment of a plane to a VM.
  public struct Assignment: Hashable, Sendable {
    /// The plane's bit number.
    public var plane: Int
    /// The VM.
    public var vm: VMID
    /// The VM's bid.
    public var signature: UInt64
  }

  struct Refusal: Sendable {
    var plane: Int
    var signature: UInt64
    var until: Nanoseconds
    var lifetime: Nanoseconds
  }

  /// A new auction is held after this many vblanks at the earliest, unless the layout changes.
  public static let intervalVblanks: Int64 = 30
  /// The required gain in value, in thousandths.
  public static let gainPermille: Int64 = 200
  static let firstLifetime: Nanoseconds = 100_000_000
  static let longestLifetime: Nanoseconds = 10_000_000_000
  static let refusalLimit = 128

  /// The current assignments.
  public private(set) var assignments: [Assignment] = []
  private var refusals: [Refusal] = []
  private var proposal: [Assignment] = []
  private var untested: Assignment?
  private var lastAuction: Int64 = .min / 2
  private var order: [Int] = []

  /// Reserves storage.
  public init() {
    assignments.reserveCapacity(64)
    proposal.reserveCapacity(64)
    order.reserveCapacity(64)
    refusals.reserveCapacity(Self.refusalLimit)
  }

  /// Holds an auction if it is due, and returns the one assignment to test with TEST_ONLY, together with those in
  /// force, or `nil` if nothing changes.
  ///
  /// `vblank` is a running count. With `layoutChanged` it is held at once and assignments of VMs that do not bid any
  /// more end.
  public mutating func propose(
    _ bids: [PlaneBid], planes: UInt64, vblank: Int64, layoutChanged: Bool, at now: Nanoseconds
  ) -> Assignment? {
    guard layoutChanged || vblank - lastAuction >= Self.intervalVblanks else { return nil }
    assignments.removeAll { held in !bids.contains { $0.vm == held.vm && $0.signature == held.signature } }
    refusals.removeAll { $0.until + 2 * Self.longestLifetime < now }
    assign(bids, planes: planes, at: now)
    lastAuction = vblank
    let gain = value(of: proposal, bids)
    let present = value(of: assignments, bids)
    guard gain > present, layoutChanged || gain - present > present / 1_000 * Self.gainPermille else { return nil }
    untested = proposal.first { !assignments.contains($0) }
    return untested
  }

  /// The answer of the TEST_ONLY commit for the last proposal. A refused VM stays on the blit path. Earlier refusals are
  /// kept: if the commit itself fails again, the next try comes twice as late.
  public mutating func tested(passes: Bool, at now: Nanoseconds) {
    guard let candidate = untested else { return }
    untested = nil
    if passes {
      assignments.removeAll { $0.plane == candidate.plane || $0.vm == candidate.vm }
      assignments.append(candidate)
    } else {
      refuse(candidate, at: now)
    }
    // Other proposals follow with the next vblank's test.
    lastAuction = .min / 2
  }

  /// A real commit failed although the test had passed: the VM loses its plane.
  public mutating func commitFailed(_ vm: VMID, at now: Nanoseconds) {
    guard let held = assignments.first(where: { $0.vm == vm }) else { return }
    assignments.removeAll { $0.vm == vm }
    refuse(held, at: now)
  }

  /// The plane that a VM has.
  public func plane(of vm: VMID) -> Int? { assignments.first { $0.vm == vm }?.plane }

  /// The highest value first, each VM on the lowest plane that fits and is free; present planes are kept.
  private mutating func assign(_ bids: [PlaneBid], planes: UInt64, at now: Nanoseconds) {
    proposal.removeAll(keepingCapacity: true)
    order.removeAll(keepingCapacity: true)
    for position in bids.indices where bids[position].value > 0 {
      var place = order.count
      order.append(position)
      while place > 0, precedes(bids[position], bids[order[place - 1]]) {
        order[place] = order[place - 1]
        place -= 1
      }
      order[place] = position
    }
    var free = planes
    for position in order {
      let bid = bids[position]
      guard let plane = freePlane(for: bid, free, at: now) else { continue }
      free &= ~(1 << UInt64(plane))
      proposal.append(Assignment(plane: plane, vm: bid.vm, signature: bid.signature))
    }
  }

  private func precedes(_ left: PlaneBid, _ right: PlaneBid) -> Bool {
    left.value == right.value ? left.vm < right.vm : left.value > right.value
  }

  private func freePlane(for bid: PlaneBid, _ free: UInt64, at now: Nanoseconds) -> Int? {
    let usable = free & bid.planes
    if let held = assignments.first(where: { $0.vm == bid.vm && $0.signature == bid.signature }),
      usable & (1 << UInt64(held.plane)) != 0
    {
      return held.plane
    }
    for plane in 0..<64 where usable & (1 << UInt64(plane)) != 0 {
      let isRefused = refusals.contains { $0.plane == plane && $0.signature == bid.signature && $0.until > now }
      if !isRefused { return plane }
    }
    return nil
  }

  private func value(of assignments: [Assignment], _ bids: [PlaneBid]) -> Int64 {
    var sum: Int64 = 0
    for assignment in assignments {
      guard let bid = bids.first(where: { $0.vm == assignment.vm }) else { continue }
      let (next, isLarge) = sum.addingReportingOverflow(bid.value)
      sum = isLarge ? .max : next
    }
    return sum
  }

  private mutating func refuse(_ assignment: Assignment, at now: Nanoseconds) {
    let known = refusals.firstIndex { $0.plane == assignment.plane && $0.signature == assignment.signature }
    var refusal = Refusal(
      plane: assignment.plane, signature: assignment.signature, until: 0, lifetime: Self.firstLifetime)
    if let known {
      refusal.lifetime = min(Self.longestLifetime, refusals.remove(at: known).lifetime * 2)
    } else if refusals.count == Self.refusalLimit {
      refusals.removeFirst()
    }
    refusal.until = now + refusal.lifetime
    refusals.append(refusal)
  }
}
