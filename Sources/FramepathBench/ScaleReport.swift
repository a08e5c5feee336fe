/// The results of `framepath bench scale`.
public struct ScaleReport: Codable, Equatable, Sendable {
  /// One run with this number of VMs.
  public struct Run: Codable, Equatable, Sendable {
    /// Answered frames of each VM's guest, in the order of the VMs.
    public var frames: [Int]
    /// Wall-clock time, s.
    public var seconds: Double
    /// CPU time per frame over all backends, µs.
    public var backendMicroseconds: Double
    /// CPU time per frame of the daemon, µs.
    public var daemonMicroseconds: Double
    /// CPU time per frame of the guests, which are this program, µs.
    public var harnessMicroseconds: Double
    /// Private memory of a backend without framebuffers, bytes, over all backends.
    public var backendPrivateBytes: Spread
    /// Private memory of the daemon without framebuffers, bytes.
    public var daemonPrivateBytes: UInt64
    /// PRESENT messages that the daemon counted.
    public var presented: UInt64
    /// Frames that reached their screen.
    public var flipped: UInt64
    /// Superseded frames.
    public var superseded: UInt64
    /// Copies of frames, by the ledger.
    public var cpuCopies: UInt64
    /// Bytes of these copies.
    public var copiedBytes: UInt64

    /// Frames of all VMs.
    public var allFrames: Int { frames.reduce(0, +) }
    /// Frames per second of each VM.
    public var rates: Spread { Spread(frames.map { Double($0) / max(seconds, 1e-9) }) }
    /// Jain's index of the VMs' frames: 1 if all got the same, 1/n if one got everything.
    public var fairness: Double {
      let values = frames.map { Double($0) }
      let squares = values.reduce(0) { $0 + $1 * $1 }
      let sum = values.reduce(0, +)
      return squares == 0 ? 0 : sum * sum / (Double(values.count) * squares)
    }
  }

  /// The runs with one number of VMs.
  public struct Point: Codable, Equatable, Sendable {
    /// The number of VMs.
    public var vms: Int
    /// Every run as it was.
    public var runs: [Run]

    /// A figure over all runs.
    public func spread(_ figure: (Run) -> Double) -> Spread { Spread(runs.map(figure)) }
  }

  /// The picture's width in pixels.
  public var width: Int
  /// The picture's height in pixels.
  public var height: Int
  /// The refresh rate of the outputs, Hz.
  public var refreshHertz: Int
  /// The backends' `--path`.
  public var path: String
  /// The machine.
  public var machine: Machine
  /// Each number of VMs.
  public var points: [Point]
}
