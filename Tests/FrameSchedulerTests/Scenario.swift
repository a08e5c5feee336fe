import FrameScheduler
import FrameSimulator

/// A random course of events, made of steps that can be left out one by one, so that a failing one can be shrunk.
struct Scenario: Course {
  enum Step: Hashable {
    case add(UInt32, weight: Int64, isPlane: Bool, sla: Int64?, cap: Int64?)
    case remove(UInt32)
    case frame(UInt32, cost: Int64)
    case flood(UInt32, count: Int, cost: Int64)
    case policy(SchedulingPolicy)
    case focus(UInt32)
    case request(UInt32)
    case revoke
    case path(UInt32, isPlane: Bool)
    case weight(UInt32, Int64)
    case invalidate
    case refuse(UInt32, Bool)
    case refuseCommit
    case withdraw(UInt32)
    case visible(Bool)
    case refresh(Int64)
    case wait(Nanoseconds)
    case needlessWake
  }

  var policy: SchedulingPolicy
  var steps: [Step]

  var description: String { "\(policy): " + steps.map { "\($0)" }.joined(separator: "\n  ") }

  static func random(seed: UInt64, length: Int = 120, policy: SchedulingPolicy? = nil) -> Scenario {
    var random = SeededGenerator(seed: seed)
    let policies = SchedulingPolicy.allCases
    let first = policy ?? policies[Int.random(in: 0..<policies.count, using: &random)]
    var steps: [Step] = (0..<3).map { add($0, &random) }
    for _ in 0..<length { steps.append(step(&random, keepsPolicy: policy != nil)) }
    return Scenario(policy: first, steps: steps)
  }

  private static func add(_ vm: UInt32, _ random: inout SeededGenerator) -> Step {
    .add(
      vm, weight: Int64.random(in: 1...400, using: &random), isPlane: Int.random(in: 0...2, using: &random) == 0,
      sla: Int.random(in: 0...2, using: &random) == 0 ? [10, 24, 30, 60][Int.random(in: 0...3, using: &random)] : nil,
      cap: Int.random(in: 0...5, using: &random) == 0 ? Int64.random(in: 1...60, using: &random) : nil)
  }

  private static func step(_ random: inout SeededGenerator, keepsPolicy: Bool) -> Step {
    let vm = UInt32.random(in: 0..<6, using: &random)
    let isLong = Int.random(in: 0...9, using: &random) == 0
    let cost =
      isLong
      ? Int64.random(in: 10_000_000...60_000_000, using: &random)
      : Int64.random(in: 0...5_000_000, using: &random)
    switch Int.random(in: 0..<44, using: &random) {
    case 0...1: return add(vm, &random)
    case 2: return .remove(vm)
    case 3...18: return .frame(vm, cost: cost)
    case 19: return .flood(vm, count: Int.random(in: 2...30, using: &random), cost: cost)
    case 20:
      return keepsPolicy ? .invalidate : .policy(SchedulingPolicy.allCases.randomElement(using: &random) ?? .fifo)
    case 21: return .focus(vm)
    case 22: return Bool.random(using: &random) ? .request(vm) : .revoke
    case 23: return .path(vm, isPlane: Bool.random(using: &random))
    case 24: return .weight(vm, Int64.random(in: 1...10_000, using: &random))
    case 25: return .invalidate
    case 26: return .refuse(vm, Bool.random(using: &random))
    case 27: return .needlessWake
    case 28: return .refuseCommit
    case 29: return .withdraw(vm)
    case 30: return .visible(Bool.random(using: &random))
    case 31: return .refresh([24_000, 50_000, 60_000, 144_000].randomElement(using: &random) ?? 60_000)
    case 32: return .wait(Int64.random(in: 100_000_000...1_500_000_000, using: &random))
    default: return .wait(Int64.random(in: 1...20_000_000, using: &random))
    }
  }

  /// Plays the scenario and a quiet end.
  ///
  /// - Parameter fault: what is done to every decision, to see that the rules find it.
  func play(fault: ((inout FrameDecisions) -> Void)? = nil) throws -> World {
    var world = try World(policy: policy)
    world.fault = fault
    for step in steps {
      switch step {
      case .add(let vm, let weight, let isPlane, let sla, let cap):
        try? world.addVM(vm) { configuration in
          configuration.weight = weight
          configuration.path = isPlane ? .plane : .blit
          configuration.serviceLevel = sla.map {
            ServiceLevel(rateMillihertz: $0 * 1_000, frameNanoseconds: 1_000_000)
          }
          configuration.rateCapMillihertz = cap.map { $0 * 1_000 }
        }
      case .remove(let vm):
        if world.scheduler.statistics(of: VMID(vm)) != nil { world.removeVM(vm) }
      case .frame(let vm, let cost): world.submit(vm, cost: cost)
      case .flood(let vm, let count, let cost): for _ in 0..<count { world.submit(vm, cost: cost) }
      case .policy(let policy): world.call { $0.setPolicy(policy, at: $2, into: &$1) }
      case .focus(let vm): try? world.call { try $0.focus(on: VMID(vm), at: $2, into: &$1) }
      case .request(let vm): try? world.call { try $0.requestExclusive(VMID(vm), at: $2, into: &$1) }
      case .revoke: world.call { $0.revokeExclusive(at: $2, into: &$1) }
      case .path(let vm, let isPlane):
        world.scheduler.setPath(isPlane ? .plane : .blit, of: VMID(vm), at: world.now)
      case .weight(let vm, let weight):
        var configuration = VMConfiguration(owner: UInt64(vm))
        configuration.weight = weight
        configuration.path = .blit
        try? world.scheduler.configureVM(VMID(vm), configuration, at: world.now)
      case .invalidate: world.scheduler.invalidate(repeatingFrames: true, at: world.now)
      case .refuse(let vm, let refuses):
        if refuses { world.refusing.insert(VMID(vm)) } else { world.refusing.remove(VMID(vm)) }
      case .refuseCommit: world.refusesNextCommit = true
      case .withdraw(let vm): world.withdrawFrames(of: vm)
      case .visible(let visible): world.call { $0.setVisible(visible, at: $2, into: &$1) }
      case .refresh(let millihertz): try world.setRefresh(millihertz)
      case .wait(let duration): world.run(for: duration)
      case .needlessWake: world.call { $0.wake(at: $2, into: &$1) }
      }
      world.run(until: world.now)
    }
    world.refusesNextCommit = false
    world.call { $0.setVisible(true, at: $2, into: &$1) }
    // The longest frame costs sixty times what was declared: it is paid with six seconds of a rate of 10 Hz.
    world.run(for: 10_000_000_000)
    world.checkQuiet()
    return world
  }

  static func simpler(_ step: Step) -> [Step] {
    switch step {
    case .add(let vm, let weight, let isPlane, let sla, let cap):
      func plain(
        _ weight: Int64 = 100, _ isPlane: Bool = false, _ sla: Int64? = nil, _ cap: Int64? = nil
      ) -> Step {
        .add(vm, weight: weight, isPlane: isPlane, sla: sla, cap: cap)
      }
      return [
        plain(), plain(100, isPlane, sla, cap),
        plain(weight, false, sla, cap),
        plain(weight, isPlane, nil, cap), plain(weight, isPlane, sla, nil),

      ].filter { $0 != step }
    case .frame(let vm, let cost): return smaller(cost).map { .frame(vm, cost: $0) }
    case .flood(let vm, let count, let cost):
      return [.frame(vm, cost: cost)] + smaller(Int64(count)).map { .flood(vm, count: Int($0), cost: cost) }
        + smaller(cost).map { .flood(vm, count: count, cost: $0) }
    case .wait(let duration): return smaller(duration).map { .wait($0) }
    case .weight(let vm, let weight): return smaller(weight).filter { $0 > 0 }.map { .weight(vm, $0) }
    case .remove, .policy, .focus, .request, .revoke, .path, .invalidate, .refuse, .refuseCommit, .withdraw, .visible,
      .refresh, .needlessWake:
      return []
    }
  }

  /// A play takes a while: a quarter is near enough.
  private static func smaller(_ number: Int64) -> [Int64] {
    numbersBelow(number, nearest: 4)
  }
}
