/// What `framepath bench throughput` has measured.
public struct ThroughputReport: Codable, Equatable, Sendable {
  /// One size over all runs.
  public struct Size: Codable, Equatable, Sendable {
    /// In pixels.
    public var width: Int
    /// In pixels.
    public var height: Int
    /// Every run as it was.
    public var runs: [ThroughputRun]

    /// A figure over all runs.
    public func spread(_ figure: (ThroughputRun) -> Double) -> Spread { Spread(runs.map(figure)) }
  }

  /// The guest's device.
  public var device: BenchDevice
  /// The backend's `--path`.
  public var path: String
  /// Seconds of the long phases.
  public var seconds: Double
  /// How much of a picture lay in one piece of guest memory, bytes.
  public var runBytes: Int
  /// Processors of this machine, and the load average as the runs began.
  public var machine: Machine
  /// Each size.
  public var sizes: [Size]
}

/// What figures depend on beside the program.
public struct Machine: Codable, Equatable, Sendable {
  /// The CPU's name by /proc/cpuinfo.
  public var processor: String
  /// How many processors.
  public var processors: Int
  /// Load average of the last minute.
  public var load: Double
  /// The kernel.
  public var kernel: String
}
