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
    /// Whether that is in the picture that no commit shows yet.
    var isAhead = false
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
    promote(for: plan, at: now)
    var candidates = vms.indices.filter { place in
      if vms[place].copied != nil { return mayWorkAhead(place) }
      return vms[place].working != nil || (vms[place].slot != nil && vms[place].servedIndex < plan.index)
    }
    let sliceEnd = now + configuration.sliceNanoseconds
    var (time, hasMore, isShort, isInPicture) = (now, false, false, false)
    var blits: [BlitOrder] = []
    while let next = candidates.min(by: { key($0, plan.index) < key($1, plan.index) }) {
      candidates.removeAll { $0 == next }
      var (served, isInOrder) = (next, true)
      if let current = vms.indices.first(where: isBegun), current != next {
        if time >= sliceEnd {
          hasMore = true
          break
        }
        let end = time + left(next)
        let fits = end <= min(plan.latchBy, sliceEnd) && end + left(current) <= plan.latchBy
        if vms[next].working != nil || vms[next].copied != nil || !fits {
          candidates.append(next)
          (served, isInOrder) = (current, false)
        }
      }
      if time >= plan.latchBy, !isBegun(served) {
        isShort = true
        continue
      }
      if time >= sliceEnd {
        hasMore = true
        break
      }
      if vms[served].copied != nil, !mayWorkAhead(served) { continue }
      let isAhead = goesAhead(served, from: time, for: plan)
      if isAhead {
        if let other = vms.firstIndex(where: \.isAhead), other != served {
          (served, isShort, isInOrder) = (other, true, false)
        }
        if left(served) <= configuration.bandNanoseconds {
          isShort = true
          continue
        }
      }
      take(served, for: plan.index)
      vms[served].isAhead = isAhead
      let blit = copy(served, from: time, until: isAhead ? min(plan.latchBy, sliceEnd) : sliceEnd)
      blits.append(blit)
      if policy == .weightedFair, isInOrder { virtualTime = max(virtualTime, vms[served].runTag) }
      vms[served].finish += (blit.nanoseconds << 20) / vms[served].weight
      time += blit.nanoseconds
      if isBegun(served) {
        (hasMore, isInPicture) = (true, true)
      } else if vms[served].working != nil, vms[served].copied == nil {
        if left(served) > configuration.bandNanoseconds, time < plan.latchBy { hasMore = true } else { isShort = true }
      } else if vms[served].working == nil, mayWorkAhead(served) {
        candidates.append(served)
      }
    }
    if policy == .weightedFair, !hasMore, !isShort, vms.allSatisfy({ $0.slot == nil && $0.working == nil }) {
      virtualTime = max(virtualTime, vms.map(\.finish).max() ?? 0)
    }
    if vms.indices.contains(where: isBegun) { (hasMore, isInPicture) = (true, true) }
    let slack = isShort ? 0 : configuration.sliceNanoseconds / 2
    let isDue = (plan.isImmediate || now >= plan.final) && !hasMore && time + slack >= plan.lastCall
    guard !isInPicture, time >= plan.latchBy || isDue else { return (blits, []) }
    isScarce = hasMore || isShort
    let latches = vms.compactMap(\.copied)
    for place in vms.indices { vms[place].copied = nil }
    return (blits, latches)
  }

  /// A part of its frame is in the next picture.
  private func isBegun(_ place: Int) -> Bool { vms[place].working != nil && !vms[place].isAhead }

  private func left(_ place: Int) -> Nanoseconds {
    vms[place].working.map { $0.cost - $0.done } ?? vms[place].slot?.cost ?? 0
  }

  /// A frame that would not end in time is copied into the other picture.
  private func goesAhead(_ place: Int, from time: Nanoseconds, for plan: OutputScheduler.Plan) -> Bool {
    if vms[place].working != nil { return vms[place].isAhead }
    if vms[place].copied != nil { return true }
    let isLong = left(place) > configuration.sliceNanoseconds
    let margin = isLong ? -2 * configuration.bandNanoseconds : configuration.bandNanoseconds
    return vms.count > 1 && time + left(place) > plan.latchBy + margin
  }

  /// As long as the next picture is empty, the other one takes its place if the frame in it then ends in time.
  private mutating func promote(for plan: OutputScheduler.Plan, at now: Nanoseconds) {
    guard let ahead = vms.firstIndex(where: \.isAhead) else { return }
    guard vms.indices.allSatisfy({ vms[$0].copied == nil && !isBegun($0) }) else { return }
    let room = plan.latchBy + configuration.bandNanoseconds - now
    let isShort = left(ahead) <= 2 * configuration.bandNanoseconds
    let before = vms.indices.filter {
      !isShort && $0 != ahead && vms[$0].slot != nil && vms[$0].servedIndex < plan.index && left($0) <= room
        && key($0, plan.index) < key(ahead, plan.index)
    }
    guard before.reduce(left(ahead), { $0 + left($1) }) <= room else { return }
    if isShort || left(ahead) <= room / 2 { vms[ahead].isAhead = false }
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
    return left(place) > configuration.bandNanoseconds
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

  /// Whole bands; the last one may end up to one band after `limit`. A frame cannot end ahead.
  private mutating func copy(_ place: Int, from time: Nanoseconds, until limit: Nanoseconds) -> BlitOrder {
    guard let working = vms[place].working else { preconditionFailure("nothing was taken") }
    let band = configuration.bandNanoseconds
    let room = (limit - time + band - 1) / band * band
    let isAhead = vms[place].isAhead
    let duration = min(working.cost - working.done - (isAhead ? band : 0), room)
    let done = working.done + duration
    if done == working.cost {
      vms[place].copied = working.frame
      vms[place].working = nil
    } else {
      vms[place].working?.done = done
    }
    return BlitOrder(
      vm: vms[place].id, frame: working.frame, target: isAhead ? .ahead : .next, bytes: working.done..<done,
      completes: done == working.cost,
      nanoseconds: duration)
  }
}
