import LinuxIO
import StatusModel

/// `framepath bench throughput`: real daemon, real backend, and a guest that only sends requests.
public struct ThroughputBench {
  /// The guest's device.
  public var device = BenchDevice.complete
  /// The backend's `--path`.
  public var path = "auto"
  /// Sizes of the picture.
  public var sizes: [(width: Int, height: Int)] = [(640, 480), (1920, 1080), (3840, 2160)]
  /// Length of each of the two main phases, seconds.
  public var seconds = 1.0
  /// Runs of each size, each with its own processes.
  public var runCount = 5
  /// Size of a picture's contiguous pieces of guest memory, whole pages.
  public var runBytes = 1 << 20
  /// The screen's rate.
  public var refreshHertz = 60
  /// Other backends that are driven with the same load in each run.
  public var peers: [BenchPeer] = []
  /// Whether to measure an empty backend too, as the cost of the benchmark itself.
  public var measuresHarness = true
  /// Called with the current step.
  public var progress: (String) -> Void = { _ in }

  private let programs: BenchPrograms

  /// A benchmark of these programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures everything.
  public func run() throws(BenchError) -> ThroughputReport {
    var report = ThroughputReport(
      device: device, path: path, seconds: seconds,
      runBytes: runBytes, machine: .now(), sizes: [])
    let peers = peers + (measuresHarness ? [try BenchPeer.empty(programs)] : [])
    for size in sizes {
      var runs: [ThroughputRun] = []
      for number in 1...max(runCount, 1) {
        progress("\(size.width)x\(size.height): run \(number) of \(max(runCount, 1))")
        var run = try measure(size.width, size.height)
        for peer in peers {
          progress("\(size.width)x\(size.height): run \(number) of \(max(runCount, 1)), \(peer.name)")
          run.peers.append(try measure(peer, size.width, size.height))
        }
        runs.append(run)
      }
      report.sizes.append(ThroughputReport.Size(width: size.width, height: size.height, runs: runs))
    }
    return report
  }

  /// The refresh rate for a guest that waits for the screen: 1000 Hz, the highest of a headless output.
  private var unpacedHertz: Int { device.waitsForScreen ? 1000 : refreshHertz }
  private var mainNanoseconds: UInt64 { UInt64(max(seconds, 0.05) * 1e9) }
  private var shortNanoseconds: UInt64 { max(mainNanoseconds / 2, 50_000_000) }

  private func measure(_ width: Int, _ height: Int) throws(BenchError) -> ThroughputRun {
    var probe = try MemcpyProbe(byteCount: width * height * 4)
    probe.run(milliseconds: 20)
    probe = try MemcpyProbe(byteCount: width * height * 4)
    probe.run(milliseconds: 200)

    var stage = try BenchMeasurement(self, programs, width, height, hertz: unpacedHertz)
    let unpaced = try stage.phase(.unpaced, .wholePicture, mainNanoseconds)
    probe.run(milliseconds: 200)
    let unpacedCorner = try stage.phase(.unpaced, .corner, shortNanoseconds)
    probe.run(milliseconds: 200)
    if unpacedHertz != refreshHertz {
      stage.end()
      stage = try BenchMeasurement(self, programs, width, height, hertz: refreshHertz)
    }
    defer { stage.end() }

    let period = UInt64(1_000_000_000 / refreshHertz)
    let paced = try stage.phase(pacedPace(period), .wholePicture, mainNanoseconds)
    let pacedCorner = try stage.phase(pacedPace(period), .corner, shortNanoseconds)
    // Two and a half periods: no commit is pending when the next frame comes.
    let idleCorner = try stage.phase(.every(period * 5 / 2), .corner, mainNanoseconds)
    let idleWhole = try stage.phase(.every(period * 5 / 2), .wholePicture, shortNanoseconds)
    let floor =
      measuresHarness
      ? try WakeUpFloor(programs, hertz: refreshHertz, nanoseconds: shortNanoseconds) : nil
    let state = try stage.daemon.settledScanout()
    try stage.requirePicture()
    return ThroughputRun(
      unpaced: unpaced, unpacedCorner: unpacedCorner, paced: paced, pacedCorner: pacedCorner,
      idleCorner: idleCorner, idleWhole: idleWhole, wakeUpFloor: floor,
      memcpyMicroseconds: probe.nanosecondsPerPicture / 1000,
      path: state.path.rawValue, pathReason: state.pathReason ?? "", pictureBytes: width * height * 4)
  }

  func measure(_ peer: BenchPeer, _ width: Int, _ height: Int) throws(BenchError) -> PeerRun {
    let stage = try PeerMeasurement(peer, width: width, height: height, runBytes: runBytes)
    let period = UInt64(1_000_000_000 / refreshHertz)
    return PeerRun(
      name: peer.name, unpaced: try stage.phase(.unpaced, .wholePicture, mainNanoseconds),
      unpacedCorner: try stage.phase(.unpaced, .corner, shortNanoseconds),
      paced: try stage.phase(.every(period), .wholePicture, mainNanoseconds))
  }

  /// The screen itself paces a guest that waits for it.
  private func pacedPace(_ period: UInt64) -> BenchPace { device.isAnsweredByScreen ? .every(0) : .every(period) }
}
