import FrameScheduler
import FrameSimulator
import Testing

/// Random events against every rule (Docs/Scheduler.md, Rules). A failing run is reduced to the smallest one that
/// still fails (`Course`). Other suites check the rules that need more than random events:
///
/// | rule | where |
/// | --- | --- |
/// | commits, frames, copies, fences, idling | `World`, on every event of every scheduler test |
/// | pixels stay inside their tile | `RandomSharingTests` of PresentServerTests, the lab's tile tests |
/// | no allocation; isolation | `CostTests`; `IsolationTests` |
/// | order of service | `OrderTests`, `DifferentialTests`, `SingleOutputTests` |
/// | promises | `ServiceLevelTests`; admission against brute force in `DifferentialTests` |
/// | exclusive use | `ExclusiveTests`, `IsolationTests` |
/// | memory | `MemoryCourse`, `MemoryAdmissionTests` |
/// | overlay planes | `PlaneAuctionTests`, against the best by brute force |
/// | the reduction itself | `ShrinkingTests`, with schedulers that are broken on purpose |
@Suite("Rules for every policy")
struct InvariantTests {
  @Test(arguments: SchedulingPolicy.allCases)
  func `the rules of every policy hold on random events`(policy: SchedulingPolicy) throws {
    try expectRules(0..<50, of: { Scenario.random(seed: $0, policy: policy) }) { try $0.play().violations }
  }

  @Test func `the rules hold when the policy changes at any moment`() throws {
    try expectRules(1_000..<1_150, of: { Scenario.random(seed: $0) }) { try $0.play().violations }
  }

  @Test func `the same events give the same decisions`() throws {
    for seed in 0..<15 as Range<UInt64> {
      let scenario = Scenario.random(seed: seed)
      let (first, second) = (try scenario.play(), try scenario.play())
      #expect(first.blits == second.blits)
      #expect(first.shown == second.shown)
      #expect(first.latchLog == second.latchLog)
      #expect(first.commits == second.commits)
    }
  }
}
