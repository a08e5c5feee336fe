@testable import FrameScheduler

/// `fifo`, `roundRobin` and `weightedFair` as they are described, for VMs that are copied and nothing else: every choice
/// looks through all VMs. What the real one decides is compared with it, blit by blit.
///
/// When and for how long comes from the real one's plan; who, and how much of which frame, does not.
struct NaiveScheduler {
  private struct VM {
    let id: VMID
    let weight: Int64
    var slot: (frame: FrameID, cost: Nanoseconds)?
    var working: (frame: FrameID, cost: Nanoseconds, done: Nanoseconds)?
    var copied: FrameID?
    /// Since when its slot is filled, and the virtual time then.
    var readySince: Nanoseconds = 0
    var arrivedAt: Int64 = 0
    /// Its finish tag, the tag with which its frame was taken up in an interval, and which one that was.
    var finish: Int64 = 0
    var runTag: Int64 = 0
    var runIndex: Int64 = -1
    var servedIndex: Int64 = -1
  }

  let policy: SchedulingPolicy
  let configuration: SchedulerConfiguration
  private var vms: [VM] = []
  private var virtualTime: Int64 = 0
  private var turn = 0
  private var isScarce = false

  init(policy: SchedulingPolicy, configuration: SchedulerConfiguration) {
    self.policy = policy
    self.configuration = configuration
  }

  mutating func addVM(_ id: VMID, weight: Int64) { vms.append(VM(id: id, weight: weight)) }

  mutating func frameReady(_ id: VMID, _ frame: FrameID, cost: Nanoseconds, at now: Nanoseconds) {
    guard let place = vms.firstIndex(where: { $0.id == id }) else { return }
    if vms[place].slot == nil {
      vms[place].readySince = now
      vms[place].arrivedAt = virtualTime
    }
    vms[place].slot = (frame, cost)
  }

  /// The blits that are due, and the frames of the commit; none of both where nothing is due.
  mutating func wake(_ plan: OutputScheduler.Plan?, at now: Nanoseconds) -> (blits: [BlitOrder], latches: [FrameID]) {
    guard let plan, plan.wake <= now else { return ([], []) }
    var candidates = vms.indices.filter { place in
      if vms[place].copied != nil { return mayWorkAhead(place) }
      return vms[place].working != nil || (vms[place].slot != nil && vms[place].servedIndex < plan.index)
    }
    let sliceEnd = now + configuration.sliceNanoseconds
    var (time, hasMore, isShort) = (now, false, false)
    var blits: [BlitOrder] = []
    while let next = candidates.min(by: { key($0, plan.index) < key($1, plan.index) }) {
      candidates.removeAll { $0 == next }
      if time >= plan.latchBy {
        isShort = true
        continue
      }
      if time >= sliceEnd {
        hasMore = true
        break
      }
      take(next, for: plan.index)
      let blit = copy(next, from: time, until: min(plan.latchBy, sliceEnd))
      blits.append(blit)
      virtualTime = policy == .weightedFair ? max(virtualTime, vms[next].runTag) : 0
      vms[next].finish += (blit.nanoseconds << 20) / vms[next].weight
      time += blit.nanoseconds
      if vms[next].working != nil, vms[next].copied == nil {
        if time < plan.latchBy { hasMore = true } else { isShort = true }
      } else if vms[next].working == nil, mayWorkAhead(next) {
        candidates.append(next)
      }
    }
    if policy == .weightedFair, !hasMore, !isShort, vms.allSatisfy({ $0.slot == nil && $0.working == nil }) {
      virtualTime = max(virtualTime, vms.map(\.finish).max() ?? 0)
    }
    guard time >= plan.latchBy || ((plan.isImmediate || now >= plan.final) && !hasMore) else { return (blits, []) }
    isScarce = hasMore || isShort
    let latches = vms.compactMap(\.copied)
    for place in vms.indices { vms[place].copied = nil }
    return (blits, latches)
  }

  /// The least goes first: what the policy counts, then the smaller cost, then the VM's number.
  private func key(_ place: Int, _ index: Int64) -> (Int64, Int64, UInt32) {
    let vm = vms[place]
    switch policy {
    case .fifo: return (vm.working != nil ? -1 : vm.readySince, 0, vm.id.rawValue)
    case .roundRobin: return (vm.working != nil ? -1 : Int64((place - turn + vms.count) % vms.count), 0, vm.id.rawValue)
    default:
      if let working = vm.working {
        return (vm.runIndex == index ? vm.runTag : vm.finish, working.cost - working.done, vm.id.rawValue)
      }
      return (max(vm.arrivedAt, vm.finish), vm.slot?.cost ?? 0, vm.id.rawValue)
    }
  }

  /// While time is scarce a VM begins its next frame before its last one is on screen.
  private func mayWorkAhead(_ place: Int) -> Bool {
    guard isScarce, policy == .weightedFair else { return false }
    let left = vms[place].working.map { $0.cost - $0.done } ?? vms[place].slot?.cost ?? 0
    return left > configuration.bandNanoseconds
  }

  private mutating func take(_ place: Int, for index: Int64) {
    vms[place].servedIndex = vms[place].copied == nil ? index : index + 1
    if vms[place].working == nil, let slot = vms[place].slot {
      vms[place].finish = max(vms[place].arrivedAt, vms[place].finish)
      vms[place].runIndex = -1
      vms[place].working = (slot.frame, slot.cost, 0)
      vms[place].slot = nil
      turn = (place + 1) % vms.count
    }
    if vms[place].runIndex != index {
      vms[place].runIndex = index
      vms[place].runTag = vms[place].finish
    }
  }

  /// Whole bands; the last one may end up to one band after `limit`. What is ahead cannot end.
  private mutating func copy(_ place: Int, from time: Nanoseconds, until limit: Nanoseconds) -> BlitOrder {
    guard let working = vms[place].working else { preconditionFailure("nothing was taken") }
    let band = configuration.bandNanoseconds
    let room = (limit - time + band - 1) / band * band
    let duration = min(working.cost - working.done - (vms[place].copied == nil ? 0 : band), room)
    let done = working.done + duration
    if done == working.cost {
      vms[place].copied = working.frame
      vms[place].working = nil
    } else {
      vms[place].working?.done = done
    }
    return BlitOrder(
      vm: vms[place].id, frame: working.frame, bytes: working.done..<done, completes: done == working.cost,
      nanoseconds: duration)
  }
}
