import FrameScheduler
import FrameSimulator
import Testing

/// The rules of sched.md §7 and who looks at them; what is random is shrunk before it is shown (`Course`).
///
/// | rules | where |
/// | --- | --- |
/// | G1 to G7, G12, G13 | `World`, on everything that is played; random here |
/// | G8 | pixels: `RandomSharingTests` of PresentServerTests, the lab's tiles |
/// | G9; G10; G11 | here; `CostTests`; `IsolationTests` |
/// | fifo P1 to P4 | `DifferentialTests`, `OrderTests`, `SingleOutputTests` |
/// | roundRobin P1 to P4 | `DifferentialTests`, `OrderTests` |
/// | weightedFair P1 to P7 | `OrderTests`, `DifferentialTests`; P2 in `World` |
/// | sla P1 to P6 | `ServiceLevelTests`; P1's demand test against brute force in `DifferentialTests` |
/// | hybrid P1, P4, P5; P2; P3; P6 | `ServiceLevelTests`; `OrderTests`; also `IsolationTests`; G6 in `World` |
/// | exclusive P1, P2, P5; all | `IsolationTests`, random; `ExclusiveTests` |
/// | M1 to M7 | `MemoryCourse`, random, M2 by brute force; `MemoryAdmissionTests` |
/// | planes (§7.10) | `PlaneAuctionTests`, against the best by brute force |
/// | the shrinking itself | `ShrinkingTests`, with schedulers that are broken on purpose |
@Suite("Rules for every policy")
struct InvariantTests {
  @Test(arguments: SchedulingPolicy.allCases)
  func `hold on random events`(policy: SchedulingPolicy) throws {
    try expectRules(0..<50, of: { Scenario.random(seed: $0, policy: policy) }) { try $0.play().violations }
  }

  @Test func `hold when the policy changes at any moment`() throws {
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
