import FrameScheduler
import FrameSimulator
import Testing

/// sched.md §7.4 to §7.6: who is served first when blit time is scarce.
@Suite("Order of service")
struct OrderTests {
  /// VMs that always have a frame ready and together ask for more time than there is.
  private func overloaded(
    _ policy: SchedulingPolicy, seed: UInt64, weights: [Int64], milliseconds: Int64 = 800, scale: Int64 = 1,
    floods: Bool = false
  ) throws -> World {
    var random = SeededGenerator(seed: seed)
    var world = try World(policy: policy)
    // Above what a VM's share of an interval is, so that no VM is held back by one frame a vblank.
    let sum = weights.reduce(0, +)
    let costs = weights.map { max(Int64.random(in: 4_000_000...9_000_000, using: &random), $0 * 18_000_000 / sum) }
    for (vm, weight) in weights.enumerated() {
      try world.addVM(UInt32(vm)) { $0.weight = weight * scale }
    }
    // One more than any order of the loop below, so that slots are never empty.
    for step in 0..<milliseconds {
      for vm in weights.indices {
        let repeats = floods && vm == 0 ? 1 + Int(step % 2) : 1
        for _ in 0..<repeats { world.submit(UInt32(vm), cost: costs[vm]) }
      }
      world.run(for: 1_000_000)
    }
    return world
  }

  /// The VMs in the order in which their frames were taken up.
  private func starts(_ world: World) -> [VMID] {
    var seen: Set<String> = []
    return world.blits.compactMap { blit in
      seen.insert("\(blit.vm.rawValue)/\(blit.frame.rawValue)").inserted ? blit.vm : nil
    }
  }

  @Test(
    "fifo and round robin serve each backlogged VM once before any twice (fifo P1, RR P1, P2)",
    arguments: [
      SchedulingPolicy.fifo, .roundRobin,
    ])
  func servesInTurn(policy: SchedulingPolicy) throws {
    for seed in 0..<8 as Range<UInt64> {
      let count = 2 + Int(seed % 5)
      let world = try overloaded(policy, seed: seed, weights: [Int64](repeating: 1, count: count))
      var served = [Int](repeating: 0, count: count)
      for vm in starts(world) {
        served[Int(vm.rawValue)] += 1
        let spread = (served.max() ?? 0) - (served.min() ?? 0)
        #expect(spread <= 1 || policy == .fifo && spread <= 2)
      }
    }
  }

  @Test("fifo: a flood keeps the place of its first frame (P2)")
  func floodKeepsPlace() throws {
    var world = try World(policy: .fifo)
    try world.addVM(0)
    try world.addVM(1)
    try world.addVM(2)
    world.submit(2, cost: 30_000_000)
    world.run(for: 5_000_000)
    world.submit(0, cost: 1_000_000)
    world.run(for: 1_000_000)
    world.submit(1, cost: 1_000_000)
    for _ in 0..<50 { world.submit(0, cost: 1_000_000) }
    world.run(for: 100_000_000)
    let order = starts(world)
    #expect(order.firstIndex(of: VMID(0)) ?? .max < order.firstIndex(of: VMID(1)) ?? -1)
  }

  @Test(
    "fifo and round robin: nobody waits longer than one frame of each (fifo P3, RR P4)",
    arguments: [
      SchedulingPolicy.fifo, .roundRobin,
    ])
  func waitIsBounded(policy: SchedulingPolicy) throws {
    let world = try overloaded(policy, seed: 3, weights: [1, 1, 1, 1], floods: true)
    // Four frames of up to 9 ms in intervals with 14 ms for blits, and one vblank more.
    for shown in world.shown { #expect(shown.time - shown.readyAt <= 5 * world.period) }
  }

  @Test("joining and leaving keeps the others' order (RR P3)")
  func joiningKeepsOrder() throws {
    var world = try World(policy: .roundRobin)
    for vm in 0..<4 as Range<UInt32> { try world.addVM(vm) }
    for step in 0..<400 as Range<UInt32> {
      for vm in 0..<4 as Range<UInt32> { world.submit(vm, cost: 6_000_000) }
      if step % 40 == 10 { try world.addVM(9) }
      if step % 40 == 30 { world.removeVM(9) }
      if step % 40 > 10, step % 40 < 30 { world.submit(9, cost: 6_000_000) }
      world.run(for: 1_000_000)
    }
    let order = starts(world).map(\.rawValue).filter { $0 < 4 }
    for (place, vm) in order.enumerated().dropFirst() { #expect(vm == (order[place - 1] + 1) % 4) }
  }

  @Test("weighted fair: the lag between two backlogged VMs stays in Goyal's bound (P1, P6)")
  func lagIsBounded() throws {
    for seed in 0..<10 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let weights = (0..<(2 + Int(seed % 4))).map { _ in Int64.random(in: 1...10, using: &random) }
      let world = try overloaded(.weightedFair, seed: seed, weights: weights, milliseconds: 1_500)
      let ends = world.blits.suffix(from: min(20, world.blits.count))
      for i in weights.indices {
        for j in weights.indices where j > i {
          let longest = { (vm: Int) in max(9_000_000, weights[vm] * 18_000_000 / weights.reduce(0, +)) }
          let bound = Double(longest(i)) / Double(weights[i]) + Double(longest(j)) / Double(weights[j])
          var (lag, least, greatest) = (0.0, 0.0, 0.0)
          for blit in ends {
            if blit.vm.rawValue == UInt32(i) { lag += Double(blit.duration) / Double(weights[i]) }
            if blit.vm.rawValue == UInt32(j) { lag -= Double(blit.duration) / Double(weights[j]) }
            (least, greatest) = (min(least, lag), max(greatest, lag))
          }
          #expect(greatest - least <= bound, "seed \(seed), vms \(i) and \(j) of \(weights)")
        }
      }
    }
  }

  @Test("weighted fair: weights times a factor give the same schedule (P4)")
  func scaleInvariance() throws {
    let one = try overloaded(.weightedFair, seed: 5, weights: [1, 2, 4, 8])
    let many = try overloaded(.weightedFair, seed: 5, weights: [1, 2, 4, 8], scale: 64)
    #expect(one.blits == many.blits)
  }

  @Test(
    "a flood changes nobody else's service (P5, fifo P2)",
    arguments: [
      SchedulingPolicy.fifo, .roundRobin, .weightedFair, .hybrid,
    ])
  func floodChangesNothing(policy: SchedulingPolicy) throws {
    let calm = try overloaded(policy, seed: 7, weights: [1, 1, 2])
    let flooded = try overloaded(policy, seed: 7, weights: [1, 1, 2], floods: true)
    let others = { (world: World) in world.blits.filter { $0.vm != VMID(0) } }
    #expect(others(calm) == others(flooded))
  }

  @Test("weighted fair: equal weights and costs serve in turn (P7)")
  func equalIsRoundRobin() throws {
    var world = try World(policy: .weightedFair)
    for vm in 0..<5 as Range<UInt32> { try world.addVM(vm) }
    for _ in 0..<1_000 {
      for vm in 0..<5 as Range<UInt32> { world.submit(vm, cost: 4_000_000) }
      world.run(for: 1_000_000)
    }
    var served = [Int](repeating: 0, count: 5)
    for vm in starts(world) {
      served[Int(vm.rawValue)] += 1
      #expect((served.max() ?? 0) - (served.min() ?? 0) <= 1)
    }
  }

  @Test("weighted fair: a light VM waits for one interval at most, however long others' frames are (P3)")
  func lightVMIsNotDelayed() throws {
    var world = try World(policy: .weightedFair)
    try world.addVM(0)
    try world.addVM(1)
    for step in 0..<600 {
      world.submit(0, cost: 50_000_000)
      if step % 25 == 7 { world.submit(1, cost: 1_000_000) }
      world.run(for: 1_000_000)
    }
    let light = world.shown.filter { $0.vm == VMID(1) }
    #expect(light.count >= 20)
    for shown in light { #expect(shown.time - shown.readyAt <= 2 * world.period) }
  }

  @Test("weighted fair: who sleeps gains nothing, who comes back keeps its debt (H11, H14)")
  func noSleeperCreditNoDebtReset() throws {
    for returns in [false, true] {
      var world = try World(policy: .weightedFair)
      try world.addVM(0)
      try world.addVM(1)
      for step in 0..<3_000 {
        world.submit(0, cost: 9_000_000)
        let isAwake = step > 1_000
        if isAwake { world.submit(1, cost: 12_000_000) }
        if returns, isAwake, step % 50 == 0 {
          world.removeVM(1)
          try world.addVM(1)
        }
        world.run(for: 1_000_000)
      }
      let time = { (vm: UInt32) in
        world.blits.filter { $0.vm == VMID(vm) && $0.start > 1_100_000_000 }.reduce(0) { $0 + $1.duration }
      }
      #expect(time(1) <= time(0) + 20_000_000, "vm 1 got \(time(1)), vm 0 \(time(0))")
    }
  }
}
