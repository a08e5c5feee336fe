import FrameSimulator
import Testing

@testable import FrameScheduler

/// What one VM's refused plane, others' promises and a change of hands are to everybody else.
@Suite("Isolation")
struct IsolationTests {
  /// VMs on planes that show frames at any time.
  private struct Planes: Course {
    enum Step: Equatable {
      case frame(UInt32)
      case wait(Nanoseconds)
    }

    var steps: [Step]

    init(seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      steps = (0..<200).map { _ in
        Bool.random(using: &random)
          ? .frame(UInt32.random(in: 0..<4, using: &random)) : .wait(Int64.random(in: 0...20_000_000, using: &random))
      }
    }

    static func simpler(_ step: Step) -> [Step] {
      if case .wait(let time) = step, time > 0 { [.wait(0), .wait(time / 2)] } else { [] }
    }

    func play(refusing: Set<VMID>) throws -> World {
      var world = try World(policy: .hybrid)
      for vm in 0..<4 as Range<UInt32> { try world.addVM(vm) { $0.path = .plane } }
      world.refusing = refusing
      for step in steps {
        switch step {
        // A copy of nothing takes no time from anybody.
        case .frame(let vm): world.submit(vm, cost: 0)
        case .wait(let time): world.run(for: time)
        }
      }
      world.run(for: 1_000_000_000)
      return world
    }
  }

  @Test func `a VM whose plane is refused in the real commit delays no other VM`() throws {
    try expectRules(0..<30, of: { Planes(seed: $0) }) { course in
      let (calm, refused) = (try course.play(refusing: []), try course.play(refusing: [VMID(0)]))
      let others = { (world: World) in world.shown.filter { $0.vm != VMID(0) } }
      let late = zip(others(calm), others(refused)).filter { $1.time > $0.time }
      return late.map { Violation(rule: "isolation", detail: "\($0) came at \($1.time)") } + refused.violations
    }
  }

  @Test func `where every VM has a promise and none asks for more, hybrid equals sla frame for frame`() throws {
    let worlds = try [SchedulingPolicy.hybrid, .sla].map { policy in
      var world = try World(policy: policy)
      let rates: [Int64] = [60_000, 30_000, 20_000, 60_000]
      for (vm, rate) in rates.enumerated() {
        try world.addVM(UInt32(vm)) {
          $0.serviceLevel = ServiceLevel(rateMillihertz: rate, frameNanoseconds: 2_000_000)
        }
      }
      for vblank in 0..<200 as Range<Int64> {
        world.run(until: World.firstVblank + vblank * world.period + 500_000)
        for (vm, rate) in rates.enumerated() where vblank % (60_000 / rate) == 0 {
          world.submit(UInt32(vm), cost: 2_000_000)
        }
      }
      world.run(for: 1_000_000_000)
      return world
    }
    #expect(worlds[0].shown == worlds[1].shown)
    #expect(worlds[0].blits == worlds[1].blits)
    #expect(worlds[0].shown.count > 400)
  }

  /// Requests for the output beside a list of who should have it.
  private struct Hands: Course {
    enum Step: Equatable {
      case request(UInt32, priority: Int)
      case focus(UInt32)
      case revoke
      case end(UInt32)
      case frame(UInt32)
      case wait(Nanoseconds)
    }

    var steps: [Step]

    init(seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      steps = (0..<150).map { _ in
        let vm = UInt32.random(in: 0..<5, using: &random)
        switch Int.random(in: 0...19, using: &random) {
        case 0...3: return .request(vm, priority: Int.random(in: 0...2, using: &random))
        case 6: return .focus(vm)
        case 4...5, 7: return .revoke
        case 8: return .end(vm)
        case 9...14: return .frame(vm)
        default: return .wait(Int64.random(in: 0...60_000_000, using: &random))
        }
      }
    }

    static func simpler(_ step: Step) -> [Step] {
      switch step {
      case .request(let vm, let priority): priority > 0 ? [.request(vm, priority: 0)] : []
      case .wait(let time): time > 0 ? [.wait(0), .wait(time / 2)] : []
      case .focus(let vm): [.request(vm, priority: 0)]
      case .revoke, .end, .frame: []
      }
    }

    func play() throws -> [Violation] {
      var world = try World(policy: .exclusive)
      // Who has it first; the others wait, the highest priority first, of equals the oldest.
      var line: [(vm: VMID, priority: Int)] = []
      var violations: [Violation] = []
      for vm in 0..<5 as Range<UInt32> { try world.addVM(vm) { $0.path = .plane } }
      for step in steps {
        switch step {
        case .request(let vm, let priority):
          try world.call { try $0.requestExclusive(VMID(vm), priority: priority, at: $2, into: &$1) }
          if !line.contains(where: { $0.vm == VMID(vm) }) {
            let place = line.dropFirst().firstIndex { $0.priority < priority } ?? line.count
            line.insert((VMID(vm), priority), at: place)
          }
        case .focus(let vm):
          try world.call { try $0.focus(on: VMID(vm), at: $2, into: &$1) }
          if line.first?.vm != VMID(vm) {
            line.removeAll { $0.vm == VMID(vm) }
            if !line.isEmpty { line.removeFirst() }
            line.insert((VMID(vm), .max), at: 0)
          }
        case .revoke:
          world.call { $0.revokeExclusive(at: $2, into: &$1) }
          if !line.isEmpty { line.removeFirst() }
        case .end(let vm):
          world.removeVM(vm)
          line.removeAll { $0.vm == VMID(vm) }
          try world.addVM(vm) { $0.path = .plane }
        case .frame(let vm): world.submit(vm, cost: 0)
        case .wait(let time): world.run(for: time)
        }
        let grant = world.scheduler.grant
        if grant.holder != line.first?.vm || grant.waiters.map(\.vm) != line.dropFirst().map(\.vm) {
          violations.append(
            Violation(
              rule: "the order of the queue",
              detail: "\(grant.holder as Any), \(grant.waiters.map(\.vm)) instead of \(line.map(\.vm))"))
        }
      }
      world.run(for: 3_000_000_000)
      world.checkQuiet()
      return violations + world.violations
    }
  }

  @Test
  func
    `one VM has the output, the others wait by priority and age, and only the holder is seen`()
    throws
  {
    try expectRules(0..<60, of: { Hands(seed: $0) }) { try $0.play() }
  }
}
