import FrameSimulator
import Testing

@testable import FrameScheduler

/// Promised rates under `sla` and `hybrid`.
@Suite("Promised rates")
struct ServiceLevelTests {
  private func randomLevel(_ random: inout SeededGenerator, cost: ClosedRange<Int64>) -> ServiceLevel {
    let rates: [Int64] = [10_000, 15_000, 20_000, 24_000, 25_000, 30_000, 48_000, 60_000]
    return ServiceLevel(
      rateMillihertz: rates.randomElement(using: &random) ?? 60_000,
      frameNanoseconds: Int64.random(in: cost, using: &random), deadlineVblanks: Int64.random(in: 1...3, using: &random)
    )
  }

  /// A random set of VMs that was admitted, and what each promises.
  private func admitted(
    seed: UInt64, policy: SchedulingPolicy
  ) throws -> (world: World, levels: [UInt32: ServiceLevel]) {
    var random = SeededGenerator(seed: seed)
    var world = try World(policy: policy)
    var levels: [UInt32: ServiceLevel] = [:]
    for vm in 0..<12 as Range<UInt32> {
      let level = randomLevel(&random, cost: 200_000...4_000_000)
      do {
        try world.addVM(vm) { $0.serviceLevel = level }
        levels[vm] = level
      } catch SchedulerError.infeasible(let rate) {
        #expect(rate < level.rateMillihertz)
      }
    }
    return (world, levels)
  }

  @Test(arguments: [
    SchedulingPolicy.sla, .hybrid,
  ])
  func `an admitted frame that is ready in time is never late, whatever others do`(
    policy: SchedulingPolicy
  ) throws {
    for seed in 0..<5 as Range<UInt64> {
      var (world, levels) = try admitted(seed: seed, policy: policy)
      try world.addVM(100) { $0.weight = 10_000 }
      try world.addVM(101)
      var random = SeededGenerator(seed: seed &+ 77)
      var next = levels.mapValues { _ in Int64(0) }
      for step in 0..<1_500 as Range<Int64> {
        for (vm, level) in levels.sorted(by: { $0.key < $1.key }) where next[vm, default: 0] <= step * 1_000_000 {
          world.submit(vm, cost: Int64.random(in: level.frameNanoseconds / 2...level.frameNanoseconds, using: &random))
          next[vm, default: 0] += 1_000_000_000_000 / level.rateMillihertz
        }
        world.submit(100, cost: 50_000_000)
        world.submit(101, cost: Int64.random(in: 0...9_000_000, using: &random))
        world.run(for: 1_000_000)
      }
      for vm in levels.keys { #expect(world.scheduler.statistics(of: VMID(vm))?.missed == 0, "seed \(seed) vm \(vm)") }
      #expect(world.violations.isEmpty)
    }
  }

  @Test func `at 85 % load at least 59 of 60 due frames are in time`() throws {
    let result = try Simulation.run(.promised(), policy: .sla, seconds: 10)
    #expect(result.missed == 0)
    #expect(result.lateRate == 0)
  }

  @Test func `sla shows no more than the promised rate`() throws {
    var world = try World(policy: .sla)
    for (vm, rate) in [10, 24, 25, 30, 48].enumerated() {
      try world.addVM(UInt32(vm)) {
        $0.serviceLevel = ServiceLevel(rateMillihertz: Int64(rate) * 1_000, frameNanoseconds: 500_000)
      }
    }
    for _ in 0..<3_000 {
      for vm in 0..<5 as Range<UInt32> { world.submit(vm, cost: 400_000) }
      world.run(for: 1_000_000)
    }
    for (vm, rate) in [10, 24, 25, 30, 48].enumerated() {
      let times = world.shown.filter { $0.vm == VMID(UInt32(vm)) }.map(\.time)
      for (place, start) in times.enumerated() {
        #expect(times[place...].count { $0 < start + 1_000_000_000 } <= rate + 1)
      }
      #expect(times.count >= 3 * rate - 3)
    }
  }

  @Test func `24 frames on 60 Hz come in a 3:2 cadence`() throws {
    var cadence = Cadence(rate: 24_000, refresh: 60_000, firstIndex: 0)
    var due: [Int64] = []
    for index in 0..<15 as Range<Int64> where cadence.isDue(at: index) {
      due.append(index)
      cadence.consume(at: index)
    }
    #expect(due == [0, 3, 5, 8, 10, 13])
  }

  @Test func `removing a VM never makes the others infeasible`() throws {
    let admission = ServiceAdmission(configuration: .init(), timing: try OutputTiming(refreshMillihertz: 60_000))
    var random = SeededGenerator(seed: 5)
    for _ in 0..<60 {
      var promises: [ServiceAdmission.Promise] = []
      for _ in 0..<6 {
        let level = randomLevel(&random, cost: 500_000...6_000_000)
        guard let phase = admission.phase(for: level, beside: promises) else { continue }
        promises.append(.init(level: level, phase: phase))
      }
      #expect(admission.isFeasible(promises))
      for position in promises.indices {
        var fewer = promises
        fewer.remove(at: position)
        #expect(admission.isFeasible(fewer))
      }
    }
  }

  @Test func `the demand test agrees with earliest deadline first, played through (brute force)`() throws {
    let admission = ServiceAdmission(configuration: .init(), timing: try OutputTiming(refreshMillihertz: 60_000))
    var random = SeededGenerator(seed: 9)
    var verdicts: Set<Bool> = []
    for _ in 0..<300 {
      let promises = (0..<Int.random(in: 1...5, using: &random)).map { _ in
        ServiceAdmission.Promise(
          level: randomLevel(&random, cost: 500_000...7_000_000), phase: Int64.random(in: 0...5, using: &random))
      }
      let load = promises.reduce(Int64(0)) { $0 + $1.level.frameNanoseconds * $1.level.rateMillihertz / 60_000 }
      guard load <= admission.budget * 85 / 100 else { continue }
      let isFeasible = admission.isFeasible(promises)
      verdicts.insert(isFeasible)
      if isFeasible { #expect(!missesUnderEDF(promises, budget: admission.budget)) }
    }
    #expect(verdicts == [true, false])
  }

  /// Every frame ready in its first moment, blits run by earliest deadline over 300 vblanks.
  private func missesUnderEDF(_ promises: [ServiceAdmission.Promise], budget: Nanoseconds) -> Bool {
    var jobs: [(deadline: Int64, left: Nanoseconds)] = []
    for index in 0..<300 as Range<Int64> {
      for promise in promises {
        let rate = promise.level.rateMillihertz
        let slot = (index - promise.phase) * rate / 60_000
        for candidate in max(0, slot - 1)...max(0, slot + 1)
        where promise.phase + (candidate * 60_000 + rate - 1) / rate == index {
          jobs.append((index + promise.level.deadlineVblanks - 1, promise.level.frameNanoseconds))
        }
      }
      jobs.sort { $0.deadline < $1.deadline }
      var time = budget
      while time > 0, !jobs.isEmpty {
        let run = min(time, jobs[0].left)
        jobs[0].left -= run
        time -= run
        if jobs[0].left == 0 { jobs.removeFirst() }
      }
      if jobs.contains(where: { $0.deadline <= index }) { return true }
    }
    return false
  }

  @Test func `a refused promise names the highest rate that fits, and changes nothing`() throws {
    var world = try World(policy: .sla)
    try world.addVM(1) { $0.serviceLevel = ServiceLevel(rateMillihertz: 60_000, frameNanoseconds: 6_000_000) }
    let wanted = ServiceLevel(rateMillihertz: 60_000, frameNanoseconds: 7_000_000)
    var largest: Int64?
    do {
      try world.addVM(2) { $0.serviceLevel = wanted }
      Issue.record("was admitted")
    } catch SchedulerError.infeasible(let rate) {
      largest = rate
    }
    #expect(world.scheduler.vmCount == 1)
    let rate = try #require(largest)
    #expect(rate < 60_000)
    try world.addVM(3) { $0.serviceLevel = ServiceLevel(rateMillihertz: rate, frameNanoseconds: 7_000_000) }
  }

  @Test func `without promises hybrid is weightedFair, frame for frame`() throws {
    let worlds = try [SchedulingPolicy.hybrid, .weightedFair].map { policy in
      var random = SeededGenerator(seed: 21)
      var world = try World(policy: policy)
      for vm in 0..<4 as Range<UInt32> { try world.addVM(vm) { $0.weight = Int64(vm) + 1 } }
      for _ in 0..<2_000 {
        let vm = UInt32.random(in: 0..<4, using: &random)
        world.submit(vm, cost: Int64.random(in: 100_000...12_000_000, using: &random))
        world.run(for: 1_000_000)
      }
      return world
    }
    #expect(worlds[0].blits == worlds[1].blits)
    #expect(worlds[0].shown == worlds[1].shown)
  }

  @Test func `no VM starves in hybrid, not even the lightest`() throws {
    var world = try World(policy: .hybrid)
    try world.addVM(0) { $0.weight = 10_000 }
    try world.addVM(1) { $0.weight = 10_000 }
    try world.addVM(2) { $0.weight = 1 }
    try world.addVM(3) { $0.weight = 2 }
    for _ in 0..<6_000 {
      for vm in 0..<4 as Range<UInt32> { world.submit(vm, cost: 8_000_000) }
      world.run(for: 1_000_000)
    }
    for vm in [2, 3] as [UInt32] {
      let times = [0] + world.shown.filter { $0.vm == VMID(vm) }.map(\.time)
      for (place, time) in times.enumerated().dropFirst() { #expect(time - times[place - 1] <= 1_100_000_000) }
      #expect(times.count >= 5)
    }
  }

  @Test func `a VM changes its mode at most once in the hold time`() {
    var state = ProtectionState()
    var changes: [Nanoseconds] = []
    var random = SeededGenerator(seed: 2)
    var isProtected = false
    for second in 0..<200 as Range<Int64> {
      let isBad = Int.random(in: 0...2, using: &random) > 0
      for _ in 0..<60 {
        state.noteReady()
        state.noteShown(missed: isBad)
      }
      state.update(at: second * 1_000_000_000, rateMillihertz: 60_000, utilisationPermille: 100)
      if state.isProtected != isProtected {
        isProtected.toggle()
        changes.append(second * 1_000_000_000)
      }
    }
    #expect(!changes.isEmpty)
    for (place, time) in changes.enumerated().dropFirst() { #expect(time - changes[place - 1] >= ProtectionState.hold) }
  }
}
