/// Decides whether one more promise can be kept beside those already made.
///
/// Two tests: the sum of declared blit time is within `utilisationLimit` of the capacity, and for every start and
/// length up to 64 vblanks, the frames that are due within fit the blit time within, less one band (the demand test
/// of Baruah et al. 1990 for earliest deadline first).
struct ServiceAdmission {
  /// A promise with the vblank of its first due slot.
  struct Promise {
    var level: ServiceLevel
    var phase: Int64
  }

  static let longestHorizon: Int64 = 64
  static let longestPattern: Int64 = 512

  /// Millihertz of the output.
  let refresh: Int64
  /// Blit time between two vblanks that is left in the worst case.
  let budget: Nanoseconds
  let band: Nanoseconds
  let limitPermille: Int64

  init(configuration: SchedulerConfiguration, timing: OutputTiming) {
    refresh = timing.refreshMillihertz
    let period = timing.periodNanoseconds
    budget = max(0, period - LatchTimer.worstLead(configuration: configuration, period: period))
    band = configuration.bandNanoseconds
    limitPermille = configuration.utilisationLimitPermille
  }

  /// The phase with which a promise fits, or `nil`.
  func phase(for level: ServiceLevel, beside others: [Promise]) -> Int64? {
    guard level.rateMillihertz <= refresh, isWithinLimit(level, beside: others) else { return nil }
    if level.frameNanoseconds == 0 { return 0 }
    let slotLength = ceilingDivide(refresh, level.rateMillihertz)
    let horizon = patternLength(others.map(\.level) + [level])
    let load = loadByVblank(others, length: min(horizon, Self.longestPattern))
    let phases = (0..<min(slotLength, 16)).sorted { left, right in
      let (leftPeak, rightPeak) = (peak(level, phase: left, load: load), peak(level, phase: right, load: load))
      return leftPeak == rightPeak ? left < right : leftPeak < rightPeak
    }
    for phase in phases.prefix(4) where isFeasible(others + [Promise(level: level, phase: phase)]) { return phase }
    return nil
  }

  /// The largest rate in millihertz with which the promise would fit, to 1 Hz.
  func largestFeasibleRate(of level: ServiceLevel, beside others: [Promise]) -> Int64 {
    var low: Int64 = 0
    var high = min(level.rateMillihertz, refresh) / 1_000
    while low < high {
      let middle = (low + high + 1) / 2
      var candidate = level
      candidate.rateMillihertz = middle * 1_000
      if phase(for: candidate, beside: others) != nil { low = middle } else { high = middle - 1 }
    }
    return low * 1_000
  }

  /// Whether every start and horizon has enough blit time for all frames that are due within.
  func isFeasible(_ promises: [Promise]) -> Bool {
    let pattern = patternLength(promises.map(\.level))
    guard pattern <= Self.longestPattern else { return isFeasibleInAnyPhase(promises.map(\.level)) }
    let firstPhase = promises.map(\.phase).max() ?? 0
    let longestDeadline = promises.map(\.level.deadlineVblanks).max() ?? 1
    let length = min(pattern + longestDeadline, Self.longestHorizon)
    for start in 0..<(pattern + firstPhase) {
      var demand = [Nanoseconds](repeating: 0, count: Int(length) + 1)
      for promise in promises {
        let (rate, cost) = (promise.level.rateMillihertz, promise.level.frameNanoseconds)
        var slot = max(0, (start - promise.phase) * rate / refresh)
        while true {
          let opens = promise.phase + ceilingDivide(slot * refresh, rate)
          let ends = opens + promise.level.deadlineVblanks - start
          slot += 1
          if ends > length { break }
          if opens >= start { demand[Int(ends)] += cost }
        }
      }
      var total: Nanoseconds = 0
      for horizon in 1...Int(length) {
        total += demand[horizon]
        if total > 0, total > Int64(horizon) * budget - band { return false }
      }
    }
    return true
  }

  /// The same for promises whose pattern is too long to walk through: as if all phases met at their worst.
  private func isFeasibleInAnyPhase(_ levels: [ServiceLevel]) -> Bool {
    for horizon in 1...Self.longestHorizon {
      var total: Nanoseconds = 0
      for level in levels where horizon >= level.deadlineVblanks {
        let vblanks = horizon - level.deadlineVblanks + 1
        total += ceilingDivide(vblanks * level.rateMillihertz, refresh) * level.frameNanoseconds
      }
      if total > 0, total > horizon * budget - band { return false }
    }
    return true
  }

  private func isWithinLimit(_ level: ServiceLevel, beside others: [Promise]) -> Bool {
    var load = level.frameNanoseconds * level.rateMillihertz
    for other in others { load += other.level.frameNanoseconds * other.level.rateMillihertz }
    return load <= budget * refresh / 1_000 * limitPermille
  }

  /// After how many vblanks the due slots repeat.
  private func patternLength(_ levels: [ServiceLevel]) -> Int64 {
    var length: Int64 = 1
    for level in levels where level.frameNanoseconds > 0 {
      let own = refresh / Self.greatestCommonDivisor(refresh, level.rateMillihertz)
      length = length / Self.greatestCommonDivisor(length, own) * own
      if length > Self.longestPattern { return Self.longestPattern + 1 }
    }
    return length
  }

  private func loadByVblank(_ promises: [Promise], length: Int64) -> [Nanoseconds] {
    var load = [Nanoseconds](repeating: 0, count: Int(length))
    for promise in promises {
      addLoad(of: promise, to: &load)
    }
    return load
  }

  private func addLoad(of promise: Promise, to load: inout [Nanoseconds]) {
    let (rate, length) = (promise.level.rateMillihertz, Int64(load.count))
    for slot in 0..<max(1, length * rate / refresh) {
      let index = (promise.phase + ceilingDivide(slot * refresh, rate)) % length
      load[Int(index)] += promise.level.frameNanoseconds
    }
  }

  private func peak(_ level: ServiceLevel, phase: Int64, load: [Nanoseconds]) -> Nanoseconds {
    var sum = load
    addLoad(of: Promise(level: level, phase: phase), to: &sum)
    return sum.max() ?? 0
  }

  private static func greatestCommonDivisor(_ left: Int64, _ right: Int64) -> Int64 {
    var (a, b) = (left, right)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
}
