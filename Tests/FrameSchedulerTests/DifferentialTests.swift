import FrameSimulator
import Testing

@testable import FrameScheduler

/// The policies beside a naive reference, and against the best of all schedules where there are few.
@Suite("Against references")
struct DifferentialTests {
  /// Frames of any cost at any time, from VMs that are all there from the first.
  private struct Arrivals: Course {
    enum Step: Equatable {
      case frame(UInt32, cost: Int64)
      case wait(Nanoseconds)
    }

    var policy: SchedulingPolicy
    var weights: [Int64]
    var steps: [Step]

    init(seed: UInt64, policy: SchedulingPolicy) {
      var random = SeededGenerator(seed: seed)
      self.policy = policy
      weights = (0..<Int.random(in: 1...8, using: &random)).map { _ in Int64.random(in: 1...400, using: &random) }
      let longest: Int64 = seed % 2 == 0 ? 4_000_000 : 40_000_000
      let vms = UInt32(weights.count)
      steps = (0..<300).map { _ in
        Int.random(in: 0...2, using: &random) == 0
          ? .wait(Int64.random(in: 0...12_000_000, using: &random))
          : .frame(UInt32.random(in: 0..<vms, using: &random), cost: Int64.random(in: 1...longest, using: &random))
      }
    }

    static func simpler(_ step: Step) -> [Step] {
      switch step {
      case .frame(let vm, let cost): cost > 1 ? [.frame(vm, cost: 1), .frame(vm, cost: cost / 2)] : []
      case .wait(let time): time > 0 ? [.wait(0), .wait(time / 2)] : []
      }
    }

    func play() throws -> [Violation] {
      var world = try World(policy: policy)
      world.reference = NaiveScheduler(policy: policy, configuration: world.scheduler.configuration)
      for (vm, weight) in weights.enumerated() { try world.addVM(UInt32(vm)) { $0.weight = weight } }
      for step in steps {
        switch step {
        case .frame(let vm, let cost): world.submit(vm, cost: cost)
        case .wait(let time): world.run(for: time)
        }
      }
      world.run(for: 1_000_000_000)
      return world.violations
    }
  }

  @Test(arguments: [SchedulingPolicy.fifo, .roundRobin, .weightedFair])
  func `every blit and every commit equals the naive scheduler's`(policy: SchedulingPolicy) throws {
    try expectRules(0..<30, of: { Arrivals(seed: $0, policy: policy) }) { try $0.play() }
  }

  /// Costs are whole quarters of what an interval has less one band, so that both sides round alike.
  @Test func `a set of promises is admitted if and only if some schedule keeps it (brute force)`() throws {
    var configuration = SchedulerConfiguration()
    configuration.bandNanoseconds = 1_000
    let admission = ServiceAdmission(
      configuration: configuration, timing: try OutputTiming(refreshMillihertz: 60_000))
    let quarter = (admission.budget - admission.band) / 4
    var random = SeededGenerator(seed: 12)
    var verdicts = [0, 0]
    for _ in 0..<400 {
      let promises = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        let period = Int64.random(in: 1...4, using: &random)
        return Promise(
          period: period, phase: Int64.random(in: 0..<period, using: &random),
          deadline: Int64.random(in: 1...3, using: &random), quarters: Int.random(in: 1...4, using: &random))
      }
      // What no interval is long enough for is refused before, by its sum.
      guard promises.reduce(0, { $0 + $1.quarters * 12 / Int($1.period) }) <= 4 * 12 else { continue }
      let isFeasible = admission.isFeasible(
        promises.map { promise in
          let level = ServiceLevel(
            rateMillihertz: 60_000 / promise.period,
            frameNanoseconds: Int64(promise.quarters) * quarter,
            deadlineVblanks: promise.deadline)
          return ServiceAdmission.Promise(level: level, phase: promise.phase)
        })
      #expect(isFeasible == BestSchedule.exists(promises), "\(promises)")
      verdicts[isFeasible ? 1 : 0] += 1
    }
    #expect(verdicts.allSatisfy { $0 >= 10 }, "\(verdicts)")
  }

  fileprivate struct Promise {
    /// Vblanks from one frame to the next, that of the first frame, and within how many vblanks each is due.
    var period: Int64
    var phase: Int64
    var deadline: Int64
    /// Its cost.
    var quarters: Int
  }
}

/// Tries every way to give the quarters of every interval to the frames that are there.
private struct BestSchedule {
  private struct State: Hashable {
    var index: Int64
    /// What is left of each frame that is open, by its deadline.
    var open: [Job]
  }

  private struct Job: Hashable, Comparable {
    var deadline: Int64
    var left: Int
    static func < (left: Job, right: Job) -> Bool { (left.deadline, left.left) < (right.deadline, right.left) }
  }

  private let promises: [DifferentialTests.Promise]
  /// Twice the pattern of periods 1 to 4, and the last deadlines.
  private let end: Int64 = 27
  private var dead: Set<State> = []

  static func exists(_ promises: [DifferentialTests.Promise]) -> Bool {
    var schedule = BestSchedule(promises: promises)
    return schedule.canEnd(State(index: 0, open: []))
  }

  private init(promises: [DifferentialTests.Promise]) { self.promises = promises }

  private mutating func canEnd(_ state: State) -> Bool {
    if state.index == end { return true }
    if dead.contains(state) { return false }
    var open = state.open
    for promise in promises where state.index >= promise.phase && state.index < 24 {
      guard (state.index - promise.phase) % promise.period == 0 else { continue }
      open.append(Job(deadline: state.index + promise.deadline - 1, left: promise.quarters))
    }
    if give(4, to: open[...], kept: [], state.index) { return true }
    dead.insert(state)
    return false
  }

  /// Gives the first of `rest` any part of what is there, and goes on with the others.
  private mutating func give(
    _ quarters: Int, to rest: ArraySlice<Job>, kept: [Job], _ index: Int64
  ) -> Bool {
    guard let job = rest.first else { return canEnd(State(index: index + 1, open: kept.sorted())) }
    for part in stride(from: min(quarters, job.left), through: 0, by: -1) {
      let left = job.left - part
      if left > 0, job.deadline <= index { return false }
      let next = left > 0 ? kept + [Job(deadline: job.deadline, left: left)] : kept
      if give(quarters - part, to: rest.dropFirst(), kept: next, index) { return true }
    }
    return false
  }
}
