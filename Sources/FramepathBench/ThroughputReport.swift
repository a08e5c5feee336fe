/// The results of `framepath bench throughput`.
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
  /// Size of a picture's contiguous pieces of guest memory, bytes.
  public var runBytes: Int
  /// The machine and its load as the runs began.
  public var machine: Machine
  /// Each size.
  public var sizes: [Size]
}

/// The machine that figures depend on.
public struct Machine: Codable, Equatable, Sendable {
  /// The CPU's name from /proc/cpuinfo.
  public var processor: String
  /// The number of processors.
  public var processors: Int
  /// Load average of the last minute.
  public var load: Double
  /// The kernel.
  public var kernel: String
}
