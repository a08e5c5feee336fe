import FrameSimulator
import Testing

@testable import FrameScheduler

@Suite("Frame caps")
struct CapTests {
  /// Two capped VMs and one without a cap, all of which have a frame for every vblank.
  private func world(_ policy: SchedulingPolicy, caps: [Int64?]) throws -> World {
    var world = try World(policy: policy)
    for (vm, cap) in caps.enumerated() {
      try world.addVM(UInt32(vm)) { $0.rateCapMillihertz = cap.map { $0 * 1_000 } }
    }
    return world
  }

  private func play(_ world: inout World, vblanks: Int, vms: Int) {
    for _ in 0..<vblanks {
      for vm in 0..<UInt32(vms) { world.submit(vm, cost: 300_000) }
      world.run(for: world.period)
    }
  }

  /// The vblanks between the frames of a VM that were shown from some time on.
  private func intervals(_ world: World, _ vm: UInt32, after start: Nanoseconds = 200_000_000) -> [Int64] {
    let times = world.shown.filter { $0.vm == VMID(vm) && $0.time > start }.map(\.time)
    return zip(times, times.dropFirst()).map { ($1 - $0 + world.period / 2) / world.period }
  }

  @Test(arguments: SchedulingPolicy.allCases.filter { $0 != .exclusive })
  func `24 and 30 frames a second on 60 Hz are shown evenly, and no other VM notices`(policy: SchedulingPolicy) throws {
    var world = try world(policy, caps: [24, 30, nil])
    play(&world, vblanks: 600, vms: 3)
    let film = intervals(world, 0)
    #expect(film.count >= 230)
    #expect(zip(film, film.dropFirst()).allSatisfy { $0 + $1 == 5 && abs($0 - $1) == 1 }, "3:2")
    #expect(intervals(world, 1).count >= 285)
    #expect(intervals(world, 1).allSatisfy { $0 == 2 })
    #expect(intervals(world, 2).count >= 580)
    #expect(intervals(world, 2).allSatisfy { $0 == 1 })
    #expect(world.violations.isEmpty)
  }

  @Test(arguments: [1, 10, 24, 45])
  func `a sole VM, and the one that has the output to itself, are held to their caps`(cap: Int64) throws {
    for policy in [SchedulingPolicy.hybrid, .exclusive] {
      var world = try World(policy: policy) {
        $0.commitsSoleFramesAtOnce = true
        $0.releasesSeenFrames = false
      }
      try world.addVM(1) {
        $0.path = .plane
        $0.rateCapMillihertz = cap * 1_000
      }
      if policy == .exclusive {
        try world.call { scheduler, decisions, now in
          try scheduler.requestExclusive(VMID(1), at: now, into: &decisions)
        }
      }
      for _ in 0..<600 {
        world.submit(1, cost: 0)
        world.run(for: world.period)
      }
      let found = intervals(world, 1)
      #expect((10 * cap - cap / 2 - 2...10 * cap + 1).contains(Int64(world.shown.count)), "\(world.shown.count)")
      #expect(found.allSatisfy { (60 / cap...(60 + cap - 1) / cap).contains($0) })
      #expect(world.scheduler.heldMillihertz(of: VMID(1)) == cap * 1_000)
    }
  }

  @Test(arguments: [20, 24, 30])
  func `a frame that comes late does not hurry the next one`(cap: Int64) throws {
    var world = try world(.hybrid, caps: [cap, nil])
    var random = SeededGenerator(seed: UInt64(cap))
    for _ in 0..<400 {
      world.submit(0, cost: 300_000)
      world.run(for: Int64.random(in: 25_000_000...60_000_000, using: &random))
    }
    let found = intervals(world, 0)
    #expect(found.count > 200)
    #expect(found.allSatisfy { $0 >= 60 / cap })
  }

  @Test(arguments: [24, 30])
  func `a commit that is quicker than the ones before is not a vblank early`(cap: Int64) throws {
    var world = try World(policy: .hybrid) {
      $0.commitsSoleFramesAtOnce = true
      $0.releasesSeenFrames = false
    }
    try world.addVM(1) {
      $0.path = .plane
      $0.rateCapMillihertz = cap * 1_000
    }
    for step in 0..<600 {
      world.commitNanoseconds = step % 9 == 0 ? 3_000_000 : 100_000
      world.submit(1, cost: 0)
      world.run(for: 7_100_000)
    }
    #expect(intervals(world, 1).allSatisfy { $0 >= 2 })
  }

  @Test func `a cap that changes holds from the next frame on, and another setting does not disturb its step`() throws {
    var world = try world(.hybrid, caps: [30, nil])
    play(&world, vblanks: 120, vms: 2)
    func set(_ cap: Int64?, weight: Int64 = 100) throws {
      var configuration = VMConfiguration(owner: 0)
      configuration.path = .blit
      configuration.weight = weight
      configuration.rateCapMillihertz = cap.map { $0 * 1_000 }
      try world.scheduler.configureVM(VMID(0), configuration, at: world.now)
    }
    for weight in 101...110 as ClosedRange<Int64> {
      try set(30, weight: weight)
      play(&world, vblanks: 7, vms: 2)
    }
    #expect(intervals(world, 0).allSatisfy { $0 == 2 })
    for (cap, wanted) in [(20, 3...3), (nil, 1...1), (12, 5...5)] as [(Int64?, ClosedRange<Int64>)] {
      try set(cap)
      play(&world, vblanks: 4, vms: 2)
      let start = world.now
      play(&world, vblanks: 120, vms: 2)
      #expect(intervals(world, 0, after: start).allSatisfy(wanted.contains))
    }
    #expect(intervals(world, 1).allSatisfy { $0 == 1 })
  }

  @Test func `no more than its cap is promised to a VM, and the refusal names that`() throws {
    var world = try World(policy: .hybrid)
    let level = ServiceLevel(rateMillihertz: 30_000, frameNanoseconds: 1_000_000)
    #expect(throws: SchedulerError.infeasible(largestFeasibleMillihertz: 24_000)) {
      try world.addVM(1) {
        $0.serviceLevel = level
        $0.rateCapMillihertz = 24_000
      }
    }
    try world.addVM(1) {
      $0.serviceLevel = level
      $0.rateCapMillihertz = 30_000
    }
    play(&world, vblanks: 2, vms: 2)
    for _ in 0..<300 {
      world.submit(1, cost: 900_000)
      world.run(for: world.period)
    }
    #expect(intervals(world, 1).allSatisfy { $0 == 2 })
    #expect(world.scheduler.statistics(of: VMID(1))?.missed == 0)
  }

  @Test(arguments: [1, 5, 20])
  func `a VM that is not visible is paced at the rate set for it`(rate: Int64) throws {
    var world = try World(policy: .exclusive)
    for vm in 1...2 as ClosedRange<UInt32> {
      try world.addVM(vm) {
        $0.path = .plane
        $0.unseenMillihertz = rate * 1_000
      }
      try world.call { scheduler, decisions, now in
        try scheduler.requestExclusive(VMID(vm), at: now, into: &decisions)
      }
    }
    for _ in 0..<600 {
      for vm in 1...2 as ClosedRange<UInt32> { world.submit(vm, cost: 0) }
      world.run(for: world.period)
    }
    let releases = world.releases.filter { $0.release.vm == VMID(2) }
    #expect((10 * rate - 1...10 * rate + 1).contains(Int64(releases.count)), "\(releases.count)")
    #expect(world.violations.isEmpty)
  }

  @Test(arguments: [24, 25, 30, 36, 45, 50, 60])
  func `a guest that draws when its last flip is reported gets even reports, and waits no longer than one interval`(
    rate: Int64
  ) throws {
    let period: Nanoseconds = 16_666_667
    let interval = 1_000_000_000 / rate
    var cadence = Cadence(rate: rate * 1_000, refresh: 60_000, firstIndex: 0)
    var pace = AnswerPace()
    var random = SeededGenerator(seed: UInt64(rate))
    var told: [Nanoseconds] = []
    for index in 0..<1_200 as Range<Int64> where cadence.isDue(at: index) {
      cadence.consume(at: index)
      let flip = index * period + Int64.random(in: -20_000...20_000, using: &random)
      let time = pace.time(ofFlip: flip, rateMillihertz: rate * 1_000, periodNanoseconds: period)
      #expect(time >= flip && time <= flip + period)
      // It draws in no time, and its frame waits for this flip.
      if told.count > 3, let last = told.last { #expect(time - last <= interval + interval / 16) }
      if told.count > 3, let last = told.last { #expect(time - last >= interval - interval / 16) }
      told.append(time)
    }
    #expect(told.count == 20 * Int(rate))
  }
}
