/// The cost of one phase of one run, over all its frames.
public struct PhaseFigures: Codable, Equatable, Sendable {
  /// The frames that the guest presented.
  public var frames: Int
  /// Wall-clock time.
  public var seconds: Double
  /// Presented frames per second.
  public var framesPerSecond: Double
  /// Time on a CPU per frame in the backend, µs.
  public var backendMicroseconds: Double
  /// Time on a CPU per frame in the daemon, µs; 0 for a peer, which has none.
  public var daemonMicroseconds: Double
  /// Time on a CPU per frame of the benchmark itself, which plays the guest, µs.
  public var harnessMicroseconds: Double
  /// Voluntary and other context switches of backend and daemon per frame.
  public var switchesPerFrame: Double
  /// The wake-ups of both per frame: the voluntary ones of these switches.
  public var wakeUpsPerFrame: Double
  /// PRESENT messages that the daemon counted.
  public var presented: UInt64
  /// Frames that reached the screen.
  public var flipped: UInt64
  /// Frames superseded before they were flipped.
  public var superseded: UInt64
  /// Frames that the output refused.
  public var rejected: UInt64
  /// Copies of frames, by the ledger.
  public var cpuCopies: UInt64
  /// Bytes that these copies moved, by the ledger.
  public var copiedBytes: UInt64
  /// From the guest's kick to the answer of the frame's last request, ns.
  public var answer: Percentiles
  /// The latencies from the kick to every stage; nil for a peer, which has no daemon.
  public var stages: FrameStages?

  /// CPU time per frame of both processes, µs.
  public var totalMicroseconds: Double { backendMicroseconds + daemonMicroseconds }
}

/// One run of one size.
public struct ThroughputRun: Codable, Equatable, Sendable {
  /// The whole picture in every frame, unpaced.
  public var unpaced: PhaseFigures
  /// 16 × 16 pixels in every frame, unpaced: the cost of everything but the copy.
  public var unpacedCorner: PhaseFigures
  /// The whole picture at the screen's rate.
  public var paced: PhaseFigures
  /// 16 × 16 pixels at the screen's rate.
  public var pacedCorner: PhaseFigures
  /// 16 × 16 pixels on an idle screen: a frame comes when no commit is pending.
  public var idleCorner: PhaseFigures
  /// The whole picture on an idle screen.
  public var idleWhole: PhaseFigures
  /// The cost of one wake-up of a process on this machine; nil if it was not measured.
  public var wakeUpFloor: WakeUpFloor?
  /// Plain memcpy of one picture in this run, µs.
  public var memcpyMicroseconds: Double
  /// The path of the frames from the daemon's status.
  public var path: String
  /// Why a better path is unavailable.
  public var pathReason: String

  /// Bytes of one picture.
  public var pictureBytes: Int
  /// The peers with the same load, directly after ours.
  public var peers: [PeerRun] = []

  /// CPU time for copying one picture, µs: the backend's difference between whole pictures and corners, per copied
  /// picture. Some pictures of a guest that is faster than the screen are superseded before they are copied.
  public var copyMicroseconds: Double {
    guard unpaced.copiedBytes > 0 else { return 0 }
    let perFrame = max(unpaced.backendMicroseconds - unpacedCorner.backendMicroseconds, 0)
    return perFrame * Double(unpaced.frames) * Double(pictureBytes) / Double(unpaced.copiedBytes)
  }
  /// CPU time of a paced frame in both processes over that of as many wake-ups of an idle process in the same run; nil
  /// if that was not measured.
  public var overBareWakeUps: Double? {
    guard let floor = wakeUpFloor, floor.pacedMicroseconds > 0, paced.wakeUpsPerFrame > 0 else { return nil }
    return paced.totalMicroseconds / (paced.wakeUpsPerFrame * floor.pacedMicroseconds)
  }
  /// Our copy's rate as a fraction of plain memcpy's; 0 if nothing is copied.
  public var copyRateRatio: Double { copyMicroseconds == 0 ? 0 : memcpyMicroseconds / copyMicroseconds }
}
