import FrameScheduler
import FrameSimulator
import Testing

/// The simplest case must be perfect: one VM, full screen, on its own output.
@Suite("One VM on one output")
struct SingleOutputTests {
  private func world(_ policy: SchedulingPolicy = .hybrid) throws -> World {
    var world = try World(policy: policy)
    try world.addVM(1) { $0.path = .plane }
    if policy == .exclusive { try world.call { try $0.focus(on: VMID(1), at: $2, into: &$1) } }
    return world
  }

  @Test(arguments: SchedulingPolicy.allCases)
  func `a frame is committed at once when the output is idle`(policy: SchedulingPolicy) throws {
    var world = try world(policy)
    world.run(for: 200_000_000)
    for step in 0..<20 as Range<Int64> {
      world.run(for: 70_000_000 + step * 1_234_567)
      let count = world.commits.count
      world.submit(1, cost: 0)
      world.run(until: world.now)
      #expect(world.commits.count == count + 1)
      #expect(world.commits.last.map { world.now - $0 <= 200_000 } == true)
    }
  }

  @Test func `no timer runs and nothing is committed while nothing changes`() throws {
    var world = try world()
    world.submit(1, cost: 0)
    world.run(for: 3_000_000_000)
    #expect(world.scheduler.nextWake == nil)
    #expect(world.commits.count == 1)
    #expect(world.wakeCount <= 2)
  }

  @Test(arguments: [
    SchedulingPolicy.fifo, .hybrid, .weightedFair,
  ])
  func `every frame comes at the first vblank that it can reach`(policy: SchedulingPolicy) throws {
    var world = try world(policy)
    var random = SeededGenerator(seed: 11)
    for _ in 0..<300 {
      world.submit(1, cost: 0)
      world.run(for: Int64.random(in: 17_000_000...60_000_000, using: &random))
    }
    for shown in world.shown.dropFirst(2) {
      #expect(shown.time - shown.readyAt <= world.period + world.scheduler.redZoneNanoseconds + 400_000)
    }
  }

  @Test func `of several frames in one interval the newest is shown, the others are superseded`() throws {
    var world = try world()
    for _ in 0..<3 {
      world.submit(1, cost: 0)
      world.run(for: 16_666_667)
    }
    let before = world.shown.count
    world.run(until: World.firstVblank + 10 * world.period + 1_000_000)
    var last: FrameID?
    world.submit(1, cost: 0)
    world.run(for: 1_000_000)
    for _ in 0..<5 { last = world.submit(1, cost: 0) }
    world.run(for: 60_000_000)
    #expect(world.shown.last?.frame == last)
    #expect(world.shown.count - before <= 3)
  }

  @Test(arguments: [24_000, 60_000, 144_000, 240_000])
  func `a guest that waits for its fences runs at the refresh rate`(refresh: Int64) throws {
    var workload = Workload.single
    workload.refreshMillihertz = refresh
    workload.guests[0].pacing = .closedLoop(draw: 1_000_000, outstanding: 1)
    let result = try Simulation.run(workload, policy: .hybrid, seconds: 5)
    #expect(result.vms[0].framesPerSecond >= Double(refresh) / 1_000 - 0.7)
    #expect(result.wakesPerSecond <= Double(refresh) / 1_000 + 1)
  }

  @Test func `stale numbers, wrong sizes, unknown VMs and floods are refused`() throws {
    var world = try world()
    var receipts: [FrameReceipt] = []
    world.call { scheduler, decisions, now in
      receipts = [
        scheduler.frameReady(VMID(1), frame: FrameID(5), byteCount: 0, at: now, into: &decisions),
        scheduler.frameReady(VMID(1), frame: FrameID(5), byteCount: 0, at: now, into: &decisions),
        scheduler.frameReady(VMID(1), frame: FrameID(6), byteCount: -1, at: now, into: &decisions),
        scheduler.frameReady(VMID(1), frame: FrameID(6), byteCount: .max, at: now, into: &decisions),
        scheduler.frameReady(VMID(2), frame: FrameID(1), byteCount: 0, at: now, into: &decisions),
      ]
    }
    #expect(
      receipts == [
        .accepted, .refused(.staleFrame), .refused(.byteCountOutOfRange), .refused(.byteCountOutOfRange),
        .refused(.unknownVM),
      ])
    var accepted = 0
    for frame in 10..<10_000 as Range<UInt64> {
      let receipt = world.scheduler.frameReady(
        VMID(1), frame: FrameID(frame), byteCount: 0, at: world.now, into: &world.decisions)
      if receipt == .accepted { accepted += 1 }
    }
    #expect(accepted <= 200)
  }
}
