import FrameScheduler
import FrameSimulator
import Testing

/// The order of service when copy time is scarce.
@Suite("Order of service")
struct OrderTests {
  /// VMs that always have a frame ready and together ask for more time than there is.
  private struct Overload: Course {
    struct Step: Equatable {
      var weight: Int64
      var cost: Int64
    }

    var policy: SchedulingPolicy
    var steps: [Step]
    var milliseconds: Int64 = 800
    var scale: Int64 = 1
    var floods = false

    init(_ policy: SchedulingPolicy, seed: UInt64, weights: [Int64]) {
      var random = SeededGenerator(seed: seed)
      self.policy = policy
      steps = weights.map { Step(weight: $0, cost: Int64.random(in: 4_000_000...9_000_000, using: &random)) }
    }

    static func simpler(_ step: Step) -> [Step] {
      [Step(weight: 1, cost: step.cost), Step(weight: max(1, step.weight / 2), cost: step.cost)]
        .filter { $0 != step } + (step.cost == 9_000_000 ? [] : [Step(weight: step.weight, cost: 9_000_000)])
    }

    /// A frame's cost is above what a VM's share of an interval is, so that no VM is held back by one frame a vblank.
    func cost(_ vm: Int) -> Int64 {
      max(steps[vm].cost, steps[vm].weight * 18_000_000 / steps.reduce(0) { $0 + $1.weight })
    }

    func play() throws -> World {
      var world = try World(policy: policy)
      for (vm, step) in steps.enumerated() { try world.addVM(UInt32(vm)) { $0.weight = step.weight * scale } }
      // One more than any order of the loop below, so that slots are never empty.
      for step in 0..<milliseconds {
        for vm in steps.indices {
          let repeats = floods && vm == 0 ? 1 + Int(step % 2) : 1
          for _ in 0..<repeats { world.submit(UInt32(vm), cost: cost(vm)) }
        }
        world.run(for: 1_000_000)
      }
      return world
    }
  }

  private func overloaded(
    _ policy: SchedulingPolicy, seed: UInt64, weights: [Int64], scale: Int64 = 1, floods: Bool = false
  ) throws -> World {
    var course = Overload(policy, seed: seed, weights: weights)
    (course.scale, course.floods) = (scale, floods)
    return try course.play()
  }

  /// The VMs in the order in which their frames were taken up.
  private func starts(_ world: World) -> [VMID] {
    var seen: Set<String> = []
    return world.blits.compactMap { blit in
      seen.insert("\(blit.vm.rawValue)/\(blit.frame.rawValue)").inserted ? blit.vm : nil
    }
  }

  @Test(arguments: [
    SchedulingPolicy.fifo, .roundRobin,
  ])
  func `fifo and round robin serve each backlogged VM once before any twice`(
    policy: SchedulingPolicy
  ) throws {
    try expectRules(
      0..<6, of: { Overload(policy, seed: $0, weights: [Int64](repeating: 1, count: 2 + Int($0 % 6))) }
    ) { course in
      let world = try course.play()
      var served = [Int](repeating: 0, count: course.steps.count)
      for vm in starts(world) {
        served[Int(vm.rawValue)] += 1
        let spread = (served.max() ?? 0) - (served.min() ?? 0)
        if spread > (policy == .fifo ? 2 : 1) { return [Violation(rule: "served in turn", detail: "\(served)")] }
      }
      return world.violations
    }
  }

  @Test func `in fifo a flood keeps the place of its first frame`() throws {
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

  @Test(arguments: [
    SchedulingPolicy.fifo, .roundRobin,
  ])
  func `in fifo and round robin no VM waits longer than one frame of each other`(policy: SchedulingPolicy)
    throws
  {
    func course(_ seed: UInt64) -> Overload {
      var course = Overload(policy, seed: seed, weights: [Int64](repeating: 1, count: 2 + Int(seed % 4)))
      course.floods = seed % 2 == 0
      return course
    }
    try expectRules(0..<16, of: course) { course in
      let world = try course.play()
      // Of an interval of 16.7 ms some 14 are for blits.
      let sum = course.steps.indices.reduce(Int64(0)) { $0 + course.cost($1) }
      let bound = (sum + 13_999_999) / 14_000_000 + 1 + (policy == .fifo ? 1 : 0)
      return world.shown.filter { $0.time - $0.readyAt > bound * world.period }.map { shown in
        Violation(
          rule: "bounded waiting", detail: "vm \(shown.vm.rawValue) waited for \(shown.time - shown.readyAt) ns")
      } + world.violations
    }
  }

  @Test func `joining and leaving keeps the others' order`() throws {
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

  @Test(arguments: [SchedulingPolicy.weightedFair, .hybrid])
  func `shares of frames that take half an interval drift by at most 15 % beyond twice Goyal's bound`(
    policy: SchedulingPolicy
  ) throws {
    func course(_ seed: UInt64) -> Overload {
      var random = SeededGenerator(seed: seed)
      // In hybrid, whoever waits for half a second goes first: only weights with which nobody does.
      let weights = (0..<(2 + Int(seed % 4))).map { _ in
        Int64.random(in: 1...(policy == .hybrid ? 3 : 10), using: &random)
      }
      var course = Overload(policy, seed: seed, weights: weights)
      course.milliseconds = 1_000
      return course
    }
    try expectRules(0..<6, of: course) { course in
      let world = try course.play()
      let ends = world.blits.suffix(from: min(20, world.blits.count))
      for i in course.steps.indices {
        for j in course.steps.indices where j > i {
          let weights = (Double(course.steps[i].weight), Double(course.steps[j].weight))
          // Once for frames that are not interrupted, and once because the frame that is ahead has the turns of those
          // that do not fit before the commit. Time that is too short for a VM's frame goes to others.
          let served = Double(ends.reduce(0) { $0 + $1.duration })
          let share = served / Double(course.steps.reduce(0) { $0 + $1.weight })
          let bound = 2 * (Double(course.cost(i)) / weights.0 + Double(course.cost(j)) / weights.1) + 0.15 * share
          var (lag, least, greatest) = (0.0, 0.0, 0.0)
          for blit in ends {
            if blit.vm.rawValue == UInt32(i) { lag += Double(blit.duration) / weights.0 }
            if blit.vm.rawValue == UInt32(j) { lag -= Double(blit.duration) / weights.1 }
            (least, greatest) = (min(least, lag), max(greatest, lag))
          }
          if greatest - least > bound {
            return [Violation(rule: "Goyal's bound", detail: "vms \(i) and \(j): \(greatest - least) above \(bound)")]
          }
        }
      }
      return world.violations
    }
  }

  @Test func `in weighted fair, scaling all weights gives the same schedule`() throws {
    let one = try overloaded(.weightedFair, seed: 5, weights: [1, 2, 4, 8])
    let many = try overloaded(.weightedFair, seed: 5, weights: [1, 2, 4, 8], scale: 64)
    #expect(one.blits == many.blits)
  }

  @Test(arguments: [
    SchedulingPolicy.fifo, .roundRobin, .weightedFair, .hybrid,
  ])
  func `a flood does not change the service of other VMs`(policy: SchedulingPolicy) throws {
    let calm = try overloaded(policy, seed: 7, weights: [1, 1, 2])
    let flooded = try overloaded(policy, seed: 7, weights: [1, 1, 2], floods: true)
    let others = { (world: World) in world.blits.filter { $0.vm != VMID(0) } }
    #expect(others(calm) == others(flooded))
  }

  @Test func `in weighted fair, equal weights and costs are served in turn`() throws {
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

  @Test func `in weighted fair a light VM waits for one interval at most, however long others' frames are`() throws {
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

  @Test func `in weighted fair a VM gains nothing by sleeping, and keeps its debt when it comes back`() throws {
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
