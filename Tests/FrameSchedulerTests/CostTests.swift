import CAllocationCounter
import FrameScheduler
import FrameSimulator
import Testing

/// sched.md §7.3 G10 and §8 row 10: what decisions cost with 64 VMs.
@Suite("Cost of decisions", .serialized)
struct CostTests {
  /// One vblank of 64 VMs with everything that happens in it.
  private struct Load {
    var scheduler: OutputScheduler
    var decisions = FrameDecisions()
    var frame: UInt64 = 0
    var time: Nanoseconds = 0
    let period: Nanoseconds

    init(policy: SchedulingPolicy) throws {
      var configuration = SchedulerConfiguration()
      configuration.picosecondsPerByte = 1_000
      let timing = try OutputTiming(refreshMillihertz: 60_000)
      scheduler = try OutputScheduler(timing: timing, policy: policy, configuration: configuration)
      period = timing.periodNanoseconds
      for vm in 0..<64 as Range<UInt32> {
        var settings = VMConfiguration(owner: UInt64(vm))
        settings.weight = Int64(vm) + 1
        settings.path = vm % 3 == 0 ? .plane : .blit
        if vm % 4 == 1 { settings.serviceLevel = ServiceLevel(rateMillihertz: 30_000, frameNanoseconds: 50_000) }
        try scheduler.addVM(VMID(vm), settings, at: 0)
      }
      try scheduler.requestExclusive(VMID(3), at: 0, into: &decisions)
    }

    /// Plays a vblank; returns the longest time that one wake-up took, if a clock is given.
    mutating func playVblank(cost: Int64, clock: ContinuousClock?) -> Duration {
      var longest = Duration.zero
      frame += 2
      for number in 0..<64 {
        let vm = UInt32(number)
        _ = scheduler.framePending(VMID(vm), frame: FrameID(frame), byteCount: cost, at: time, into: &decisions)
        _ = scheduler.frameReady(VMID(vm), frame: FrameID(frame), byteCount: cost, at: time, into: &decisions)
        _ = scheduler.frameReady(VMID(vm), frame: FrameID(frame + 1), byteCount: cost, at: time, into: &decisions)
      }
      let vblank = (time / period + 1) * period
      while let wake = scheduler.nextWake, wake < vblank {
        time = max(time, wake)
        let begun = clock?.now
        scheduler.wake(at: time, into: &decisions)
        if let clock, let begun { longest = max(longest, begun.duration(to: clock.now)) }
        // By index: unoptimised, some iterators allocate.
        for place in decisions.blits.indices { time += decisions.blits[place].nanoseconds }
        if decisions.commits {
          scheduler.commitDone(begunAt: time, at: time + 100_000)
          time += 100_000
        }
      }
      time = max(time, vblank)
      scheduler.flipDone(sequence: UInt64(vblank / period), timestamp: vblank, at: time, into: &decisions)
      return longest
    }
  }

  @Test("no decision allocates (G10)", arguments: SchedulingPolicy.allCases)
  func noAllocation(policy: SchedulingPolicy) throws {
    guard framepath_counts_allocations() != 0 else { return }
    var load = try Load(policy: policy)
    for _ in 0..<8 { _ = load.playVblank(cost: 300_000, clock: nil) }
    let before = framepath_allocation_count()
    for _ in 0..<16 { _ = load.playVblank(cost: 300_000, clock: nil) }
    let allocations = framepath_allocation_count() - before
    #expect(allocations == 0)
  }

  @Test("the counter counts")
  func counterCounts() {
    guard framepath_counts_allocations() != 0 else { return }
    let before = framepath_allocation_count()
    let array = [Int](repeating: 1, count: Int.random(in: 1_000...1_010))
    #expect(framepath_allocation_count() > before)
    #expect(array.count >= 1_000)
  }

  /// Wall time is for the report; only a gross regression fails.
  @Test("a wake-up with 64 VMs takes microseconds", arguments: SchedulingPolicy.allCases)
  func decisionTime(policy: SchedulingPolicy) throws {
    var load = try Load(policy: policy)
    var times: [Duration] = []
    #if DEBUG
      let vblanks = 20
    #else
      let vblanks = 1_000
    #endif
    for _ in 0..<vblanks { times.append(load.playVblank(cost: 10_000, clock: ContinuousClock())) }
    times.sort()
    let (median, tail) = (times[times.count / 2], times[times.count * 99 / 100])
    print("decision time, 64 VMs, \(policy): p50 \(median), p99 \(tail) (longest wake-up of each vblank)")
    #expect(median < .milliseconds(5))
  }
}
