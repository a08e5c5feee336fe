import CAllocationCounter
import FrameScheduler
import FrameSimulator
import Testing

/// The cost of decisions with 64 VMs.
@Suite("Cost of decisions", .serialized)
struct CostTests {
  @Test(arguments: SchedulingPolicy.allCases)
  func `no decision allocates`(policy: SchedulingPolicy) throws {
    guard framepath_counts_allocations() != 0 else { return }
    var load = try DecisionLoad(policy: policy)
    for _ in 0..<8 { _ = load.playVblank(cost: 300_000) { 0 } }
    let before = framepath_allocation_count()
    for _ in 0..<16 { _ = load.playVblank(cost: 300_000) { 0 } }
    let allocations = framepath_allocation_count() - before
    #expect(allocations == 0)
  }

  @Test func `the allocation counter counts`() {
    guard framepath_counts_allocations() != 0 else { return }
    let before = framepath_allocation_count()
    let array = [Int](repeating: 1, count: Int.random(in: 1_000...1_010))
    #expect(framepath_allocation_count() > before)
    #expect(array.count >= 1_000)
  }
}
