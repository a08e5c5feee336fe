import LinuxIO
import StatusModel

/// The results of `framepath bench memory`: the cost of idle processes.
public struct FootprintReport: Codable, Equatable, Sendable {
  /// One run of one size.
  public struct Run: Codable, Equatable, Sendable {
    /// Private memory of the backend without framebuffers and guest RAM, bytes.
    public var backendPrivateBytes: UInt64
    /// Private memory of the daemon without framebuffers, bytes.
    public var daemonPrivateBytes: UInt64
    /// From starting the backend to QEMU's connection being accepted, ms.
    public var backendReadyMilliseconds: Double
    /// From starting the daemon to its line "ready", ms.
    public var daemonReadyMilliseconds: Double
    /// Wake-ups of the backend per second while the guest is idle.
    public var backendWakeUpsPerSecond: Double
    /// Wake-ups of the daemon per second while the guest is idle.
    public var daemonWakeUpsPerSecond: Double
    /// Commits of the daemon in that time.
    public var idleCommits: UInt64
    /// CPU time of both in that time, µs per second.
    public var idleMicrosecondsPerSecond: Double
  }

  /// The picture's width in pixels.
  public var width: Int
  /// The picture's height in pixels.
  public var height: Int
  /// Length of the idle phase, s.
  public var idleSeconds: Double
  /// The machine.
  public var machine: Machine
  /// Every run.
  public var runs: [Run]

  /// A figure over all runs.
  public func spread(_ figure: (Run) -> Double) -> Spread { Spread(runs.map(figure)) }
}

/// `framepath bench memory`: memory, start and idling.
public struct FootprintBench {
  /// The picture's size.
  public var size = (width: 1920, height: 1080)
  /// Length of the idle phase, seconds.
  public var idleSeconds = 5.0
  /// Runs, each with its own processes.
  public var runCount = 5
  /// The backend's `--path`.
  public var path = "auto"
  /// Called with the current step.
  public var progress: (String) -> Void = { _ in }

  private let programs: BenchPrograms

  /// A benchmark of these programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures everything.
  public func run() throws(BenchError) -> FootprintReport {
    var report = FootprintReport(
      width: size.width, height: size.height, idleSeconds: idleSeconds, machine: .now(), runs: [])
    for number in 1...max(runCount, 1) {
      progress("run \(number) of \(max(runCount, 1))")
      report.runs.append(try measure())
    }
    return report
  }

  private func measure() throws(BenchError) -> FootprintReport.Run {
    let (backendName, daemonName) = ("framepath-vhost-user-gpu", "framepathd")
    let stage = try BenchStage(
      programs, output: "headless:\(size.width)x\(size.height)@60", device: .complete, path: path,
      ramBytes: BenchGuest.ramBytes(width: size.width, height: size.height))
    let guest = try BenchGuest(
      stage.frontend, pictures: .blobs, width: size.width, height: size.height, runBytes: 1 << 20,
      backendName: backendName)
    defer { guest.end() }
    // After half a second of work all buffers are allocated.
    _ = try guest.run(.every(0), .wholePicture, nanoseconds: 500_000_000)
    _ = try stage.settledScanout()
    let commits = try DaemonStatus(socket: stage.daemonControlSocket).commits
    HostProcess.sleep(milliseconds: 200)

    let backendBefore = try ProcessFigures(pid: stage.backend.pid, name: backendName)
    let daemonBefore = try ProcessFigures(pid: stage.daemon.pid, name: daemonName)
    let start = monotonicNanoseconds()
    HostProcess.sleep(milliseconds: UInt32(max(idleSeconds, 0.01) * 1000))
    let backend = try ProcessFigures(pid: stage.backend.pid, name: backendName).since(backendBefore)
    let daemon = try ProcessFigures(pid: stage.daemon.pid, name: daemonName).since(daemonBefore)
    let seconds = Double(monotonicNanoseconds() - start) / 1e9
    return FootprintReport.Run(
      backendPrivateBytes: try ProcessMemory(pid: stage.backend.pid, name: backendName).privateBytes,
      daemonPrivateBytes: try ProcessMemory(pid: stage.daemon.pid, name: daemonName).privateBytes,
      backendReadyMilliseconds: Double(stage.backendReadyNanoseconds) / 1e6,
      daemonReadyMilliseconds: Double(stage.daemonReadyNanoseconds) / 1e6,
      backendWakeUpsPerSecond: Double(backend.voluntarySwitches) / seconds,
      daemonWakeUpsPerSecond: Double(daemon.voluntarySwitches) / seconds,
      idleCommits: try DaemonStatus(socket: stage.daemonControlSocket).commits - commits,
      idleMicrosecondsPerSecond: Double(backend.cpuNanoseconds + daemon.cpuNanoseconds) / 1000 / seconds)
  }
}
