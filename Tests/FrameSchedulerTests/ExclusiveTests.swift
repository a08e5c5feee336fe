import FrameScheduler
import Testing

/// Policy `exclusive`: one VM has the output.
@Suite("Exclusive use")
struct ExclusiveTests {
  private func world(_ vms: Range<UInt32> = 1..<4) throws -> World {
    var world = try World(policy: .exclusive)
    for vm in vms { try world.addVM(vm) { $0.path = .plane } }
    return world
  }

  private func request(_ vm: UInt32, priority: Int = 0, asLease: Bool = false, in world: inout World) throws {
    try world.call { try $0.requestExclusive(VMID(vm), priority: priority, asLease: asLease, at: $2, into: &$1) }
  }

  private func play(_ world: inout World, milliseconds: Int, _ vms: Range<UInt32> = 1..<4) {
    for step in 0..<milliseconds {
      if step % 10 == 0 { for vm in vms { world.submit(vm, cost: 0) } }
      world.run(for: 1_000_000)
    }
  }

  @Test func `only the holder is shown, and the others wait in order`() throws {
    var world = try world()
    try request(2, in: &world)
    try request(3, in: &world)
    try request(1, priority: 5, in: &world)
    play(&world, milliseconds: 200)
    #expect(Set(world.shown.map(\.vm)) == [VMID(2)])
    #expect(world.scheduler.grant.waiters.map(\.vm) == [VMID(1), VMID(3)])
    world.call { $0.revokeExclusive(at: $2, into: &$1) }
    #expect(world.scheduler.grant.holder == VMID(1))
    #expect(world.violations.isEmpty)
  }

  @Test func `a change of the holder is on screen within two vblanks, redrawn in full`() throws {
    var world = try world()
    try request(1, in: &world)
    play(&world, milliseconds: 300)
    for turn in 0..<20 as Range<UInt32> {
      let vm = turn % 3 + 1
      let asked = world.now
      if world.scheduler.grant.holder == VMID(vm) { continue }
      try world.call { try $0.focus(on: VMID(vm), at: $2, into: &$1) }
      play(&world, milliseconds: 77)
      let first = try #require(world.shown.first { $0.vm == VMID(vm) && $0.time > asked })
      #expect(first.time - asked <= 2 * world.period)
    }
    #expect(world.violations.isEmpty)
  }

  @Test func `a VM that was on screen before comes back with its last frame`() throws {
    var world = try world(1..<3)
    try request(1, in: &world)
    world.submit(1, cost: 0)
    world.run(for: 50_000_000)
    try world.call { try $0.focus(on: VMID(2), at: $2, into: &$1) }
    world.submit(2, cost: 0)
    world.run(for: 50_000_000)
    try world.call { try $0.focus(on: VMID(1), at: $2, into: &$1) }
    world.run(for: 50_000_000)
    #expect(world.latchLog.last?.map(\.vm) == [VMID(1)])
    #expect(world.latchLog.last?.first?.isRepeat == true)
  }

  @Test func `the end of the holder frees the output at once`() throws {
    var world = try world()
    try request(1, in: &world)
    try request(2, in: &world)
    play(&world, milliseconds: 100)
    world.removeVM(1)
    #expect(world.scheduler.grant.holder == VMID(2))
    let asked = world.now
    world.run(for: 40_000_000)
    #expect(world.shown.contains { $0.vm == VMID(2) && $0.time - asked <= 2 * world.period })
  }

  @Test func `VMs that are not shown go on at the background rate`() throws {
    var world = try world()
    try request(1, in: &world)
    play(&world, milliseconds: 4_000)
    let count = world.releases.count { $0.release.vm == VMID(2) }
    #expect((7...10).contains(count))
    #expect(world.violations.isEmpty)
  }

  @Test func `max-hold ends a hold whatever the holder does`() throws {
    var world = try world()
    world.scheduler.setExclusiveLimits(maximumHoldNanoseconds: 100_000_000, watchdogNanoseconds: nil, at: world.now)
    try request(1, in: &world)
    try request(2, in: &world)
    for _ in 0..<20 {
      try request(1, in: &world)
      play(&world, milliseconds: 4)
    }
    #expect(world.scheduler.grant.holder == VMID(1))
    play(&world, milliseconds: 30)
    #expect(world.scheduler.grant.holder == VMID(2))
  }

  @Test func `the picture of a hung holder is replaced by the host's, or by the next VM's`() throws {
    for hasWaiter in [false, true] {
      var world = try world()
      world.scheduler.setExclusiveLimits(
        maximumHoldNanoseconds: nil, watchdogNanoseconds: 200_000_000, at: world.now)
      try request(1, in: &world)
      if hasWaiter { try request(2, in: &world) }
      play(&world, milliseconds: 100, 1..<2)
      let before = world.commits.count
      world.run(for: 250_000_000)
      #expect(world.commits.count > before)
      #expect(world.scheduler.grant.holder == VMID(hasWaiter ? 2 : 1))
      #expect(world.scheduler.grant.isHung == !hasWaiter)
    }
  }

  @Test func `nothing is committed during a lease, and it is revoked before another VM is granted`() throws {
    var world = try world()
    try request(1, asLease: true, in: &world)
    play(&world, milliseconds: 100)
    #expect(world.commits.isEmpty)
    var revoked: VMID?
    try world.call { scheduler, decisions, now in
      try scheduler.focus(on: VMID(2), at: now, into: &decisions)
      revoked = decisions.revokedLease
    }
    #expect(revoked == VMID(1))
    #expect(world.scheduler.grant.holder == nil)
    play(&world, milliseconds: 20)
    #expect(world.commits.isEmpty)
    world.call { $0.leaseReturned(at: $2, into: &$1) }
    #expect(world.scheduler.grant.holder == VMID(2))
    play(&world, milliseconds: 50)
    #expect(!world.commits.isEmpty)
    #expect(Set(world.shown.map(\.vm)) == [VMID(2)])
  }
}
