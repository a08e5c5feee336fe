import FrameSimulator
import Testing

@testable import FrameScheduler

/// A display whose rate follows the commits, up to 144 Hz.
@Suite("Variable refresh rate")
struct VariableRefreshTests {
  private func world(_ policy: SchedulingPolicy = .hybrid, cap: Int64? = nil) throws -> World {
    var world = try World(policy: policy, refreshMillihertz: 144_000) {
      $0.commitsSoleFramesAtOnce = true
      $0.releasesSeenFrames = false
    }
    try world.addVM(1) {
      $0.path = .plane
      $0.rateCapMillihertz = cap.map { $0 * 1_000 }
    }
    world.scheduler.setVariableRefresh(true, at: 0)
    return world
  }

  /// Presents a frame every so often; the times between those that were shown.
  private func play(_ world: inout World, every interval: Nanoseconds, frames: Int = 300) -> [Nanoseconds] {
    let start = world.now
    for _ in 0..<frames {
      world.submit(1, cost: 0)
      world.run(for: interval)
    }
    let times = world.shown.map(\.time).filter { $0 > start }
    return zip(times, times.dropFirst()).map { $1 - $0 }
  }

  @Test(arguments: [50, 61, 90, 120, 143])
  func `a guest between the display's rates is shown at its own, each frame once`(rate: Int64) throws {
    var world = try world()
    let interval = 1_000_000_000 / rate
    let found = play(&world, every: interval)
    #expect(world.shown.count == 300)
    #expect(found.dropFirst().allSatisfy { abs($0 - interval) <= 1_000 })
    #expect(world.shown.allSatisfy { $0.time - $0.readyAt <= 200_000 })
    #expect(world.wakeCount <= 302, "no timer but for the commit")
  }

  @Test func `a guest that is faster is shown at the display's fastest, newest first`() throws {
    var world = try world()
    let found = play(&world, every: 2_000_000, frames: 1_000)
    #expect(found.allSatisfy { $0 >= world.period && $0 <= world.period + 400_000 })
    #expect(world.shown.count >= 270)
  }

  @Test func `uneven frames are committed when they are ready, and no rhythm is predicted from flips`() throws {
    var world = try world()
    var random = SeededGenerator(seed: 9)
    for _ in 0..<500 {
      world.submit(1, cost: 0)
      world.run(for: Int64.random(in: 7_500_000...40_000_000, using: &random))
    }
    #expect(world.shown.count == 500)
    #expect(world.shown.allSatisfy { $0.time - $0.readyAt <= 200_000 })
    #expect(!world.scheduler.predictor.isAnchored)
  }

  @Test(arguments: [24, 50, 77, 100])
  func `a cap is an interval of time, not a multiple of vblanks`(rate: Int64) throws {
    var world = try world(cap: rate)
    let found = play(&world, every: 7_000_000, frames: 1_500).dropFirst(2)
    let interval = 1_000_000_000 / rate
    #expect(found.allSatisfy { abs($0 - interval) <= interval / 16 })
    let mean = found.reduce(0, +) / Int64(found.count)
    #expect(abs(mean - interval) <= interval / 500, "\(mean)")
  }

  @Test func `the sla policy holds a sole VM to its promise, hybrid does not`() throws {
    for (policy, wanted) in [(SchedulingPolicy.sla, 50...51), (.hybrid, 100...145)]
      as [(SchedulingPolicy, ClosedRange<Int>)]
    {
      var world = try World(policy: policy, refreshMillihertz: 144_000) { $0.releasesSeenFrames = false }
      try world.addVM(1) {
        $0.path = .plane
        $0.serviceLevel = ServiceLevel(rateMillihertz: 50_000, frameNanoseconds: 0)
      }
      world.scheduler.setVariableRefresh(true, at: 0)
      _ = play(&world, every: 5_000_000, frames: 200)
      #expect(wanted.contains(world.shown.count), "\(world.shown.count)")
      #expect(world.scheduler.statistics(of: VMID(1))?.missed == 0)
    }
  }

  @Test func `a cursor that moves alone is shown sixty times a second, and goes with a frame that comes`() throws {
    var world = try world()
    _ = play(&world, every: 11_000_000, frames: 5)
    let before = world.commits.count
    for _ in 0..<500 {
      world.scheduler.touch(at: world.now)
      world.run(for: 2_000_000)
    }
    #expect((58...61).contains(world.commits.count - before))
    let commits = world.commits.count
    for _ in 0..<100 {
      world.submit(1, cost: 0)
      world.scheduler.touch(at: world.now)
      world.run(for: 11_000_000)
    }
    #expect(world.commits.count - commits <= 101)
  }

  @Test func `a second VM brings the fixed rate back, and its leaving the variable one`() throws {
    var world = try world()
    _ = play(&world, every: 11_111_111, frames: 20)
    #expect(world.scheduler.followsCommits)
    try world.addVM(2) { $0.path = .plane }
    #expect(!world.scheduler.followsCommits)
    world.scheduler.setVariableRefresh(false, at: world.now)
    let start = world.now
    for _ in 0..<50 {
      for vm in 1...2 as ClosedRange<UInt32> { world.submit(vm, cost: 0) }
      world.run(for: world.period)
    }
    let times = world.shown.filter { $0.vm == VMID(1) && $0.time > start }.map(\.time)
    #expect(times.count >= 45)
    #expect(times.dropFirst(2).allSatisfy { ($0 - World.firstVblank) % world.period == 0 })
    world.removeVM(2)
    world.scheduler.setVariableRefresh(true, at: world.now)
    let found = play(&world, every: 11_111_111, frames: 50).dropFirst(3)
    #expect(found.allSatisfy { abs($0 - 11_111_111) <= 1_000 })
    #expect(
      world.violations.filter { !["fence release", "nothing after removal"].contains($0.rule) }.isEmpty,
      "without releases no fence is told of")
  }

  @Test func `the display follows the frames of the VM that has the output to itself`() throws {
    var world = try world(.exclusive)
    try world.addVM(2) { $0.path = .plane }
    for vm in [1, 2] as [UInt32] {
      try world.call { scheduler, decisions, now in
        try scheduler.requestExclusive(VMID(vm), at: now, into: &decisions)
      }
    }
    #expect(world.scheduler.followsCommits)
    for _ in 0..<100 {
      for vm in [1, 2] as [UInt32] { world.submit(vm, cost: 0) }
      world.run(for: 11_111_111)
    }
    let times = world.shown.map(\.time)
    #expect(times.count >= 99)
    #expect(zip(times, times.dropFirst()).dropFirst(2).allSatisfy { abs($1 - $0 - 11_111_111) <= 1_000 })
    #expect(world.shown.allSatisfy { $0.vm == VMID(1) })
  }

  @Test func `in the simulator a guest of 90 frames a second is shown at 90, and on a fixed 144 Hz display unevenly`()
    throws
  {
    var guest = GuestModel("game", .openLoop(interval: 11_111_111), frameNanoseconds: 0)
    guest.configuration.path = .plane
    var workload = Workload("vrr", refreshMillihertz: 144_000, [guest])
    workload.isVariable = true
    var configuration = SchedulerConfiguration()
    configuration.commitsSoleFramesAtOnce = true
    let variable = try Simulation.run(workload, policy: .hybrid, seconds: 10, configuration: configuration)
    #expect((89.8...90.1).contains(variable.vms[0].framesPerSecond))
    workload.isVariable = false
    let fixed = try Simulation.run(workload, policy: .hybrid, seconds: 10, configuration: configuration)
    #expect(variable.vms[0].latencyMax < 500_000)
    #expect(fixed.vms[0].latencyMax > 5_000_000)
  }
}
