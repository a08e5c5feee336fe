import Testing

@testable import FrameScheduler

/// Tests of the tests: deliberate faults are found, and reduced to the smallest case.
@Suite("Shrinking")
struct ShrinkingTests {
  private func plain(_ vm: UInt32, isPlane: Bool = false) -> Scenario.Step {
    .add(vm, weight: 100, isPlane: isPlane, sla: nil, cap: nil)
  }

  /// The first random course that breaks the rule, and the smallest one.
  private func smallest(
    breaking rule: String, _ fault: @escaping (inout FrameDecisions) -> Void
  ) throws -> (found: Scenario, smallest: Scenario) {
    let breaks = { (scenario: Scenario) in
      try scenario.play(fault: fault).violations.contains { $0.rule == rule }
    }
    let found = try (0..<20 as Range<UInt64>).lazy.map { Scenario.random(seed: $0, policy: .fifo) }.filter(breaks)
      .prefix(4)
    // A reduction can end with a course that no single change makes smaller: the best of four counts.
    let reduced = try found.map { ($0, try $0.shrunk(breaks)) }
    return try #require(reduced.min { size($0.1) < size($1.1) })
  }

  /// How many steps a course has; each frame of a flood counts.
  private func size(_ course: Scenario) -> Int {
    course.steps.reduce(0) { size, step in if case .flood(_, let count, _) = step { size + count + 1 } else { size + 1 }
    }
  }

  @Test func `a scheduler that never signals the fence of a third frame is shown with three frames of one VM`() throws {
    let (found, smallest) = try smallest(breaking: "fence release") { decisions in
      decisions.releases.removeAll { $0.through.rawValue >= 3 }
    }
    #expect(found.steps.count > 100)
    guard case .add(let vm, _, _, _, _)? = smallest.steps.first else {
      Issue.record("\(smallest)")
      return
    }
    let frame = Scenario.Step.frame(vm, cost: 0)
    #expect(smallest.steps == [plain(vm), frame, frame, frame])
  }

  @Test func `a scheduler that commits a VM twice when there are two is shown with two VMs, and nothing else`() throws {
    let (_, smallest) = try smallest(breaking: "one commit at a time") { decisions in
      if decisions.latches.count == 2 { decisions.latches[1] = decisions.latches[0] }
    }
    let vms = Set(smallest.steps.compactMap { if case .add(let vm, _, _, _, _) = $0 { vm } else { nil } })
    #expect(vms.count == 2)
    for step in smallest.steps {
      switch step {
      // A frame on a plane is in one commit with one that was copied.
      case .add(let vm, _, let isPlane, _, _): #expect(step == plain(vm, isPlane: isPlane))
      // A long frame, or a picture that is drawn anew, has both in one commit.
      case .frame, .invalidate: break
      default: Issue.record("\(step) is not needed")
      }
    }
    #expect(smallest.steps.count <= 5)
    for place in smallest.steps.indices {
      var fewer = smallest
      fewer.steps.remove(at: place)
      let broken = try fewer.play { decisions in
        if decisions.latches.count == 2 { decisions.latches[1] = decisions.latches[0] }
      }.violations
      #expect(!broken.contains { $0.rule == "one commit at a time" }, "\(smallest.steps[place]) is not needed")
    }
  }

  @Test func `an account that keeps what has left the screen is shown with one buffer on screen`() throws {
    var found = MemoryCourse.random(seed: 3, selection: .fifo)
    found.forgetsScreens = true
    #expect(found.play().contains { $0.rule == "every request ends" })
    let smallest = found.shrunk { $0.play().contains { $0.rule == "every request ends" } }
    guard case .add(let vm, _)? = smallest.steps.first else {
      Issue.record("\(smallest)")
      return
    }
    #expect(
      smallest.steps == [.add(vm, maximum: 1), .request(vm, 1), .free(vm, 1, onScreen: true)])
  }

  @Test func `a run without a fault is not reported`() throws {
    try expectRules(0..<3, of: { Scenario.random(seed: $0, policy: .fifo) }) { try $0.play { _ in }.violations }
  }
}
