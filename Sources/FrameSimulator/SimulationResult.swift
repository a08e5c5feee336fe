public import FrameScheduler

/// The figures of one VM in a simulation. Times are in nanoseconds, rates in frames per second.
public struct VMResult: Hashable, Sendable, Codable {
  /// The VM's name.
  public var name: String
  /// Whether it is the hostile one, whose own figures do not count.
  public var isHostile: Bool
  /// Whether it was promised a rate.
  public var isPromised: Bool
  /// Its weight.
  public var weight: Int64
  /// Frames that were announced.
  public var announced: Int
  /// Frames that came on screen.
  public var shown: Int
  /// Frames on screen per second.
  public var framesPerSecond: Double
  /// Blit time that it got.
  public var blitNanoseconds: Nanoseconds
  /// The median time between two of its frames on screen.
  public var intervalP50: Nanoseconds
  /// The 99th percentile of that.
  public var intervalP99: Nanoseconds
  /// The 99.9th percentile of that.
  public var intervalP999: Nanoseconds
  /// The longest of that.
  public var intervalMax: Nanoseconds
  /// The median time from ready to on screen.
  public var latencyP50: Nanoseconds
  /// The longest of that.
  public var latencyMax: Nanoseconds
  /// Promised frames that were ready in time and late on screen, as the scheduler counts them (0 for baselines).
  public var missed: Int
  /// Promised frames that came on screen more than a period after their deadline, counted from when they were ready,
  /// or never. Counted alike for all policies.
  public var late: Int
}

/// The result of a simulation.
public struct SimulationResult: Hashable, Sendable, Codable {
  /// The policy's name.
  public var policy: String
  /// The workload's name.
  public var workload: String
  /// Virtual seconds.
  public var seconds: Int
  /// Refresh rate in millihertz.
  public var refreshMillihertz: Int64
  /// What each VM got.
  public var vms: [VMResult]
  /// Jain's index of blit time (or frames on planes) per weight over the whole run, hostile VMs aside.
  public var jain: Double
  /// The least over the greatest share per weight, over the whole run.
  public var minMax: Double
  /// The worst Jain's index of any whole second.
  public var worstSecondJain: Double
  /// The worst least-over-greatest of any whole second.
  public var worstSecondMinMax: Double
  /// The largest difference between a VM's part of the service and its weight's part of all weights.
  public var shareError: Double
  /// Commits per second.
  public var commitsPerSecond: Double
  /// Wake-ups of the scheduler per second.
  public var wakesPerSecond: Double
  /// The part of the time in which blits ran.
  public var utilisation: Double

  /// Promised frames that the host made late, of all VMs but hostile ones.
  public var missed: Int { vms.reduce(0) { $0 + ($1.isHostile ? 0 : $1.missed) } }
  /// Late or lost frames as a part of the promised frames that were announced, of all VMs but hostile ones.
  public var lateRate: Double {
    let promised = vms.filter { !$0.isHostile && $0.isPromised }
    let announced = promised.reduce(0) { $0 + $1.announced }
    return announced > 0 ? Double(promised.reduce(0) { $0 + $1.late }) / Double(announced) : 0
  }
  /// The lowest frame rate of a VM that is not hostile.
  public var lowestFramesPerSecond: Double {
    vms.filter { !$0.isHostile }.map(\.framesPerSecond).min() ?? 0
  }
  /// The longest interval at the 99th percentile of a VM that is not hostile.
  public var worstIntervalP99: Nanoseconds { vms.filter { !$0.isHostile }.map(\.intervalP99).max() ?? 0 }
  /// The longest time from ready to on screen of a VM that is not hostile.
  public var worstLatency: Nanoseconds { vms.filter { !$0.isHostile }.map(\.latencyMax).max() ?? 0 }
}

/// Fairness of shares.
public enum Fairness {
  /// Jain's index `(Σx)² / (n Σx²)`; 1 if nothing was served.
  public static func jain(_ shares: [Double]) -> Double {
    let sum = shares.reduce(0, +)
    let squares = shares.reduce(0) { $0 + $1 * $1 }
    return squares > 0 ? sum * sum / (Double(shares.count) * squares) : 1
  }

  /// The least over the greatest; 1 if nothing was served.
  public static func minMax(_ shares: [Double]) -> Double {
    guard let least = shares.min(), let greatest = shares.max(), greatest > 0 else { return 1 }
    return least / greatest
  }
}
