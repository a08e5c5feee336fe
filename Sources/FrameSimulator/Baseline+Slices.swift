import FrameScheduler

/// GVT-g's `sched_policy.c`: 100 ms by weight, debts dropped at the first of ten stages, the least
/// recently used VM with time left first.
struct GVTBaseline: BaselinePolicy {
  private let slices: [Nanoseconds]
  private var left: [Nanoseconds]
  private var recency: [Int]
  private var ticks = 0

  init(_ guests: [GuestModel]) {
    let weights = guests.map(\.configuration.weight)
    let sum = weights.reduce(0, +)
    slices = weights.map { 100_000_000 * $0 / sum }
    left = slices
    recency = Array(guests.indices)
  }

  mutating func next(_ heads: [BaselineHead?], at now: Nanoseconds) -> Int? {
    guard let place = recency.firstIndex(where: { heads[$0] != nil && left[$0] > 0 }) else { return nil }
    let vm = recency.remove(at: place)
    recency.append(vm)
    return vm
  }

  mutating func ran(_ vm: Int, for duration: Nanoseconds, at now: Nanoseconds) {
    left[vm] -= duration
  }

  mutating func tick(_ heads: [BaselineHead?], at now: Nanoseconds) {
    ticks += 1
    guard ticks.isMultiple(of: 100) else { return }
    let isFirstStage = ticks.isMultiple(of: 1_000)
    for vm in left.indices { left[vm] = isFirstStage ? slices[vm] : left[vm] + slices[vm] }
  }
}

/// GPUvm's credit and BAND schedulers: equal budgets every 30 ms, over-users behind; BAND puts a VM
/// behind only if it also used more than its part.
struct CreditBaseline: BaselinePolicy {
  private let usesBand: Bool
  private var budgets: [Nanoseconds]
  private var used: [Nanoseconds]
  private var queue: [Int]
  private var ticks = 0

  init(_ guests: [GuestModel], usesBand: Bool) {
    self.usesBand = usesBand
    budgets = guests.map { _ in 0 }
    used = guests.map { _ in 0 }
    queue = Array(guests.indices)
  }

  mutating func next(_ heads: [BaselineHead?], at now: Nanoseconds) -> Int? {
    let waiting = queue.filter { heads[$0] != nil }
    guard let vm = waiting.min(by: { rank($0) < rank($1) }) else { return nil }
    return vm
  }

  private func rank(_ vm: Int) -> Int {
    guard budgets[vm] < 0 else { return 0 }
    guard usesBand else { return 1 }
    let total = used.reduce(0, +)
    return used[vm] * Int64(used.count) > total ? 2 : 1
  }

  mutating func ran(_ vm: Int, for duration: Nanoseconds, at now: Nanoseconds) {
    budgets[vm] -= duration
    used[vm] += duration
    guard budgets[vm] < 0, !usesBand || rank(vm) == 2 else { return }
    queue.removeAll { $0 == vm }
    queue.append(vm)
  }

  mutating func tick(_ heads: [BaselineHead?], at now: Nanoseconds) {
    ticks += 1
    if ticks.isMultiple(of: 30) {
      let share = 30_000_000 / Int64(budgets.count)
      for vm in budgets.indices { budgets[vm] = min(30_000_000, max(-30_000_000, budgets[vm] + share)) }
    }
    if ticks.isMultiple(of: 500) {
      for vm in used.indices { used[vm] /= 2 }
    }
  }
}

/// The kernel's DRM FAIR policy: least virtual run time first; who was idle comes back where it was,
/// relative to the least. Weights become the nearest of its four priorities.
struct FairBaseline: BaselinePolicy {
  private let shifts: [Int64]
  private var runtimes: [Int64]
  private var idleOffsets: [Int64?]

  init(_ guests: [GuestModel]) {
    let weights = guests.map(\.configuration.weight)
    let heaviest = weights.max() ?? 1
    shifts = weights.map { weight in
      let ratio = heaviest / max(1, weight)
      return ratio < 3 ? 1 : ratio < 6 ? 2 : ratio < 48 ? 4 : 7
    }
    runtimes = guests.map { _ in 0 }
    idleOffsets = guests.map { _ in 0 }
  }

  mutating func next(_ heads: [BaselineHead?], at now: Nanoseconds) -> Int? {
    let least = heads.indices.filter { heads[$0] != nil && idleOffsets[$0] == nil }.map { runtimes[$0] }.min()
    let floor = least ?? runtimes.max() ?? 0
    for vm in heads.indices {
      if heads[vm] == nil, idleOffsets[vm] == nil {
        idleOffsets[vm] = max(0, runtimes[vm] - floor)
      } else if heads[vm] != nil, let offset = idleOffsets[vm] {
        runtimes[vm] = floor + offset
        idleOffsets[vm] = nil
      }
    }
    return heads.indices.filter { heads[$0] != nil }.min { runtimes[$0] < runtimes[$1] }
  }

  mutating func ran(_ vm: Int, for duration: Nanoseconds, at now: Nanoseconds) {
    runtimes[vm] += duration << shifts[vm]
  }
}

/// NVIDIA vGPU's averaged round robin: slices of 2 ms (1 ms above 8 VMs); what a VM used beyond its
/// slices is taken off its following ones, a 33rd at a time.
struct AveragedBaseline: BaselinePolicy {
  static let averagingFactor: Int64 = 33

  private let slice: Nanoseconds
  private var overshoot: [Nanoseconds]
  private var current = 0
  private var left: Nanoseconds = 0

  init(_ guests: [GuestModel]) {
    slice = guests.count > 8 ? 1_000_000 : 2_000_000
    overshoot = guests.map { _ in 0 }
    left = slice
  }

  mutating func next(_ heads: [BaselineHead?], at now: Nanoseconds) -> Int? {
    for _ in 0..<(2 * heads.count) {
      if heads[current] != nil, left > 0 { return current }
      current = (current + 1) % heads.count
      let repaid = min(overshoot[current], max(slice, overshoot[current] / Self.averagingFactor))
      overshoot[current] -= min(repaid, slice)
      left = slice - min(repaid, slice)
    }
    return heads.indices.filter { heads[$0] != nil }.min { overshoot[$0] < overshoot[$1] }
  }

  mutating func ran(_ vm: Int, for duration: Nanoseconds, at now: Nanoseconds) {
    left -= duration
    if left < 0 {
      overshoot[vm] -= left
      left = 0
    }
  }
}
