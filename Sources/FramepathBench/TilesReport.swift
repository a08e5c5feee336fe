/// The results of `framepath bench tiles`; times are in vblanks of the output.
public struct TilesReport: Codable, Equatable, Sendable {
  /// One VM over a stretch of time.
  public struct VM: Codable, Equatable, Sendable {
    /// Flipped frames.
    public var frames = 0
    /// Vblanks from the first flip to the last.
    public var vblanks = 0
    /// A histogram of the intervals between its frames in vblanks: the first figure counts intervals of one vblank, the
    /// last also longer ones.
    public var intervals = [Int](repeating: 0, count: 16)

    /// Frames per vblank; 1: a frame at every vblank.
    public var rate: Double { vblanks == 0 ? 0 : Double(frames - 1) / Double(vblanks) }
    /// The 99th percentile of intervals in vblanks.
    public var p99Periods: Int {
      let count = intervals.reduce(0, +)
      var seen = 0
      for (place, number) in intervals.enumerated() {
        seen += number
        if seen * 100 >= count * 99 { return place + 1 }
      }
      return intervals.count
    }
  }

  /// The stretches with one number of VMs.
  public struct Point: Codable, Equatable, Sendable {
    /// The number of VMs.
    public var vms: Int
    /// Each stretch without the two hostile clients.
    public var alone: [[VM]] = []
    /// Each stretch with a client that floods and one that never finishes a frame, in turn with the others.
    public var beside: [[VM]] = []
    /// Frames per second presented by the flood.
    public var floodPerSecond = 0.0
    /// How many of the VMs had an overlay plane at the end.
    public var planes = 0
    /// The longest time for which copies have held the daemon's loop in one iteration.
    public var longestCopyNanoseconds: UInt64 = 0

    /// The change of the VMs' rates beside the hostile clients in percent, pair by pair.
    public var changePercent: Spread {
      Spread(
        zip(alone, beside).map { pair in
          let rate = { (vms: [VM]) in vms.reduce(0) { $0 + $1.rate } }
          return rate(pair.0) == 0 ? 0 : (rate(pair.1) / rate(pair.0) - 1) * 100
        })
    }
  }

  /// framepathd's `--output`.
  public var output: String
  /// Length of each stretch, s.
  public var seconds: Double
  /// The machine.
  public var machine: Machine
  /// Each number of VMs.
  public var points: [Point]
}
