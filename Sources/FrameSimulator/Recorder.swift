import FrameScheduler

/// Collects the events of each VM, and computes the result.
struct Recorder {
  private struct Track {
    var announced = 0
    var flips: [Nanoseconds] = []
    var latencies: [Nanoseconds] = []
    var blits: Nanoseconds = 0
    var missed = 0
    var services: [Double] = []
  }

  private var tracks: [Track]
  private let models: [GuestModel]
  private let seconds: Int
  var commits = 0
  var wakes = 0

  init(_ models: [GuestModel], seconds: Int) {
    self.models = models
    self.seconds = seconds
    tracks = models.map { _ in Track() }
    for position in tracks.indices { tracks[position].services = [Double](repeating: 0, count: seconds) }
  }

  mutating func announced(_ vm: Int) { tracks[vm].announced += 1 }

  mutating func missed(_ vm: Int, count: Int) { tracks[vm].missed += count }

  mutating func blitted(_ vm: Int, _ duration: Nanoseconds, at now: Nanoseconds) {
    tracks[vm].blits += duration
    serve(vm, Double(duration), at: now)
  }

  mutating func shown(_ vm: Int, at time: Nanoseconds, readyAt: Nanoseconds) {
    tracks[vm].flips.append(time)
    tracks[vm].latencies.append(time - readyAt)
    if models[vm].frameNanoseconds == 0 { serve(vm, 1, at: time) }
  }

  private mutating func serve(_ vm: Int, _ amount: Double, at time: Nanoseconds) {
    let second = Int(time / 1_000_000_000)
    if second < seconds { tracks[vm].services[second] += amount / Double(models[vm].configuration.weight) }
  }

  func result(policy: String, workload: Workload) -> SimulationResult {
    let counted = models.indices.filter { models[$0].hostility == nil }
    let totals = counted.map { tracks[$0].services.reduce(0, +) }
    // The first second is the start-up: phases, first prediction.
    let windows = seconds > 2 ? Array(1..<seconds) : Array(0..<seconds)
    let bySecond = windows.map { second in counted.map { tracks[$0].services[second] } }
    let sum = totals.reduce(0, +)
    let weights = counted.map { Double(models[$0].configuration.weight) }
    let served = zip(totals, weights).map { $0 * $1 }.reduce(0, +)
    let weightSum = weights.reduce(0, +)
    let errors = zip(totals, weights).map { total, weight in
      served > 0 ? abs(total * weight / served - weight / weightSum) : 0
    }
    let blits = tracks.reduce(0) { $0 + $1.blits }
    return SimulationResult(
      policy: policy, workload: workload.name, seconds: seconds, refreshMillihertz: workload.refreshMillihertz,
      vms: models.indices.map { vmResult($0, period: workload.truePeriodNanoseconds) },
      jain: sum > 0 ? Fairness.jain(totals) : 1, minMax: Fairness.minMax(totals),
      worstSecondJain: bySecond.map(Fairness.jain).min() ?? 1,
      worstSecondMinMax: bySecond.map(Fairness.minMax).min() ?? 1, shareError: errors.max() ?? 0,
      commitsPerSecond: Double(commits) / Double(seconds), wakesPerSecond: Double(wakes) / Double(seconds),
      utilisation: Double(blits) / (Double(seconds) * 1e9))
  }

  private func vmResult(_ vm: Int, period: Nanoseconds) -> VMResult {
    let track = tracks[vm]
    let intervals = zip(track.flips.dropFirst(), track.flips).map { $0 - $1 }.sorted()
    let latencies = track.latencies.sorted()
    let level = models[vm].configuration.serviceLevel
    let limit = ((level?.deadlineVblanks ?? 0) + 1) * period + 3_000_000
    // The last frames have no time to come on screen.
    let lost = max(0, track.announced - track.flips.count - 2)
    let late = level == nil ? 0 : lost + latencies.count { $0 > limit }
    return VMResult(
      name: models[vm].name, isHostile: models[vm].hostility != nil,
      isPromised: models[vm].configuration.serviceLevel != nil, weight: models[vm].configuration.weight,
      announced: track.announced, shown: track.flips.count,
      framesPerSecond: Double(track.flips.count) / Double(seconds), blitNanoseconds: track.blits,
      intervalP50: Self.percentile(intervals, 500), intervalP99: Self.percentile(intervals, 990),
      intervalP999: Self.percentile(intervals, 999), intervalMax: intervals.last ?? 0,
      latencyP50: Self.percentile(latencies, 500), latencyMax: latencies.last ?? 0, missed: track.missed, late: late)
  }

  /// The value that `permille` of a sorted list are not above.
  private static func percentile(_ sorted: [Nanoseconds], _ permille: Int) -> Nanoseconds {
    guard let last = sorted.last else { return 0 }
    let place = (sorted.count * permille + 999) / 1_000
    return place == 0 ? sorted[0] : place <= sorted.count ? sorted[place - 1] : last
  }
}
