public import FrameScheduler

/// The entry points of the simulator.
public enum Simulation {
  /// Runs a workload under one of the scheduler's policies for `seconds` of virtual time.
  ///
  /// The same arguments give the same result. Throws `SchedulerError` if a VM's configuration is refused.
  public static func run(
    _ workload: Workload, policy: SchedulingPolicy, seconds: Int, seed: UInt64 = 1,
    configuration: SchedulerConfiguration = .init()
  ) throws(SchedulerError) -> SimulationResult {
    var simulation = try OutputSimulation(
      workload, policy: policy, seconds: seconds, seed: seed, configuration: configuration)
    return simulation.run(policyName: policy.rawValue)
  }

  /// Runs a workload under a published scheduler. The same arguments give the same result.
  public static func run(_ workload: Workload, baseline: Baseline, seconds: Int) -> SimulationResult {
    var simulation = BaselineSimulation(workload, baseline: baseline, seconds: seconds)
    return simulation.run(policyName: baseline.rawValue)
  }
}
