public import FrameScheduler

extension Simulation {
  /// Runs the comparison's workloads under our policies and every baseline, `seconds` of virtual time each.
  public static func compare(
    policies: [SchedulingPolicy] = [.hybrid, .weightedFair, .sla, .roundRobin, .fifo],
    baselines: [Baseline] = Baseline.allCases, hostile: [Hostility] = Hostility.allCases, seconds: Int
  ) throws(SchedulerError) -> Comparison {
    var rows: [Comparison.Row] = []
    for policy in policies {
      rows.append(
        try row("ours: " + policy.rawValue, hostile) { workload throws(SchedulerError) in
          try run(workload, policy: policy, seconds: seconds)
        })
    }
    for baseline in baselines {
      rows.append(
        try row(baseline.rawValue, hostile) { workload throws(SchedulerError) in
          run(workload, baseline: baseline, seconds: seconds)
        })
    }
    return Comparison(rows: rows)
  }

  private static func row(
    _ name: String, _ hostile: [Hostility],
    _ run: (Workload) throws(SchedulerError) -> SimulationResult
  ) throws(SchedulerError) -> Comparison.Row {
    let equal = try run(.equal(16, refreshMillihertz: 240_000, loadPermille: 1_500))
    let weighted = try run(.weighted([1, 2, 4, 8]))
    let promised = try run(.promised())
    let heavy = try run(.interactiveBesideVeryHeavy)
    var victims: [SimulationResult] = []
    for hostility in hostile { victims.append(try run(.hostile(hostility))) }
    let games = victims.compactMap { result in result.vms.first { $0.name == "game60" } }
    return Comparison.Row(
      policy: name, equalJain: equal.worstSecondJain, shareError: weighted.shareError, lateRate: promised.lateRate,
      interactiveRate: heavy.vms.first?.framesPerSecond ?? 0,
      victimRate: games.map(\.framesPerSecond).min() ?? 0, victimLateRate: victims.map(\.lateRate).max() ?? 0,
      victimLatency: Double(victims.map(\.worstLatency).max() ?? 0) / 1e6)
  }
}
