import FrameScheduler
import FrameSimulator
import Testing

/// sched.md §7.3, G1 to G13, on random courses of events; a failing one is shrunk before it is shown.
@Suite("Rules for every policy")
struct InvariantTests {
  @Test("hold on random events", arguments: SchedulingPolicy.allCases)
  func holdOnRandomEvents(policy: SchedulingPolicy) throws {
    for seed in 0..<50 as Range<UInt64> {
      if try !holds(Scenario.random(seed: seed, policy: policy)) { return }
    }
  }

  @Test("hold when the policy changes at any moment (G13)")
  func holdAcrossPolicyChanges() throws {
    for seed in 1_000..<1_150 as Range<UInt64> {
      if try !holds(Scenario.random(seed: seed)) { return }
    }
  }

  @Test("the same events give the same decisions (G9)")
  func isDeterministic() throws {
    for seed in 0..<15 as Range<UInt64> {
      let scenario = Scenario.random(seed: seed)
      let (first, second) = (try scenario.play(), try scenario.play())
      #expect(first.blits == second.blits)
      #expect(first.shown == second.shown)
      #expect(first.latchLog == second.latchLog)
      #expect(first.commits == second.commits)
    }
  }

  private func holds(_ scenario: Scenario) throws -> Bool {
    let violations = try scenario.play().violations
    guard let first = violations.first else { return true }
    let smallest = try scenario.shrunk(breaking: first.rule)
    Issue.record("\(try smallest.play().violations)\n\(smallest)")
    return false
  }
}
