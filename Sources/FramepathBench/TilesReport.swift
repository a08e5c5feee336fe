/// What `framepath bench tiles` has measured; everything is counted in vblanks of the output.
public struct TilesReport: Codable, Equatable, Sendable {
  /// One VM over a stretch of time.
  public struct VM: Codable, Equatable, Sendable {
    /// Frames that came on screen.
    public var frames = 0
    /// Vblanks from the first of them to the last.
    public var vblanks = 0
    /// How often so many vblanks were between two of its frames: the first figure is for one vblank; the last also for
    /// more.
    public var intervals = [Int](repeating: 0, count: 16)

    /// Frames for each vblank: 1 is every vblank.
    public var rate: Double { vblanks == 0 ? 0 : Double(frames - 1) / Double(vblanks) }
    /// 99 of 100 intervals are so many vblanks at most.
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

  /// So many VMs.
  public struct Point: Codable, Equatable, Sendable {
    /// How many.
    public var vms: Int
    /// Each stretch without the two hostile ones.
    public var alone: [[VM]] = []
    /// Each stretch beside one that floods and one that never finishes, in turn with the others.
    public var beside: [[VM]] = []
    /// Frames that the flood sent the daemon for each second beside it.
    public var floodPerSecond = 0.0
    /// How many of the VMs had an overlay plane at the end.
    public var planes = 0

    /// By how much the VMs' rates changed beside the hostile ones, in percent, pair by pair.
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
  /// How long each stretch is, s.
  public var seconds: Double
  /// The machine.
  public var machine: Machine
  /// Each number of VMs.
  public var points: [Point]
}
