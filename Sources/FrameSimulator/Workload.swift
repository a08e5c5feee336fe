public import FrameScheduler

/// VMs on one output, to be run under any policy.
public struct Workload: Hashable, Sendable {
  /// The name in tables.
  public var name: String
  /// The refresh rate in millihertz.
  public var refreshMillihertz: Int64 = 60_000
  /// Whether the display follows the commits, up to the refresh rate.
  public var isVariable = false
  /// The VMs.
  public var guests: [GuestModel]
  /// The latest that the timer fires after its time; uniformly distributed.
  public var timerJitter: Nanoseconds = 0
  /// By how much the true refresh rate differs from the nominal one, in parts per million.
  public var driftPartsPerMillion: Int64 = 0
  /// The latest that a flip event is delivered.
  public var flipEventDelay: Nanoseconds = 20_000

  /// Describes a workload.
  public init(_ name: String, refreshMillihertz: Int64 = 60_000, _ guests: [GuestModel]) {
    self.name = name
    self.refreshMillihertz = refreshMillihertz
    self.guests = guests
  }

  /// The time between two true vblanks.
  public var truePeriodNanoseconds: Nanoseconds {
    let nominal = (1_000_000_000_000 + refreshMillihertz / 2) / refreshMillihertz
    return nominal + nominal * driftPartsPerMillion / 1_000_000
  }
}
