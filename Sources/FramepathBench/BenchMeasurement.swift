import LinuxIO
import StatusModel

/// A real daemon with a client of one kind, and the phases measured on them.
struct BenchMeasurement {
  let daemon: BenchDaemon
  /// The process between our guest and the daemon; a client has none.
  let backend: (name: String, process: ChildProcess)?
  let source: any FrameSource
  /// Keeps the backend running; releasing it ends the backend.
  private let owner: AnyObject?
  /// The time between two vblanks of the output.
  private let periodNanoseconds: UInt64

  init(
    _ bench: ThroughputBench, _ programs: BenchPrograms, _ width: Int, _ height: Int, hertz: Int
  ) throws(BenchError) {
    periodNanoseconds = 1_000_000_000 / UInt64(hertz)
    daemon = try BenchDaemon(programs, outputs: ["headless:\(width)x\(height)@\(hertz)"])
    switch bench.device {
    case .complete, .vhostUserGPU:
      let vm = try BenchVM(
        programs, daemon, name: BenchStage.vm, device: bench.device, path: bench.path,
        ramBytes: BenchGuest.ramBytes(width: width, height: height))
      source = try BenchGuest(
        vm.frontend, pictures: bench.device == .complete ? .blobs : .images, width: width, height: height,
        runBytes: bench.runBytes, backendName: "framepath-vhost-user-gpu")
      backend = ("framepath-vhost-user-gpu", vm.process)
      owner = vm
    case .ivshmem:
      let region = try BenchRegion(programs, daemon, width: width, height: height)
      source = try RegionSource(region.socket, width: width, height: height)
      backend = ("framepath-ivshmem", region.process)
      owner = region
    case .client:
      source = try ClientSource(daemon.socket, width: width, height: height)
      backend = nil
      owner = nil
    }
  }

  func end() { source.end() }

  /// Runs a load after a short warm-up, and measures its cost.
  func phase(_ pace: BenchPace, _ change: FrameChange, _ nanoseconds: UInt64) throws(BenchError) -> PhaseFigures {
    _ = try source.run(pace, change, nanoseconds: 50_000_000)
    let before = try daemon.settledScanout()
    let backendBefore = try backendFigures()
    let daemonBefore = try ProcessFigures(pid: daemon.process.pid, name: "framepathd")
    let ownBefore = threadCPUNanoseconds()
    let load = try source.run(pace, change, nanoseconds: nanoseconds)
    let own = threadCPUNanoseconds() - ownBefore
    let backendUsed = try backendFigures().since(backendBefore)
    let daemonUsed = try ProcessFigures(pid: daemon.process.pid, name: "framepathd").since(daemonBefore)
    let after = try daemon.settledScanout()
    let frames = Double(max(load.frames, 1))
    let wakeUps = backendUsed.voluntarySwitches + daemonUsed.voluntarySwitches
    let switches = wakeUps + backendUsed.involuntarySwitches + daemonUsed.involuntarySwitches
    let presented = after.framesPresented - before.framesPresented
    let trace = try DaemonTrace(socket: daemon.controlSocket).frames(vm: BenchStage.vm)
    let stages = FrameStages(
      trace.suffix(Int(clamping: presented)), kicks: presented == load.frames ? load.kicks.ordered : [],
      periodNanoseconds: periodNanoseconds)
    return PhaseFigures(
      frames: load.frames, seconds: Double(load.nanoseconds) / 1e9, framesPerSecond: load.framesPerSecond,
      backendMicroseconds: Double(backendUsed.cpuNanoseconds) / frames / 1000,
      daemonMicroseconds: Double(daemonUsed.cpuNanoseconds) / frames / 1000,
      harnessMicroseconds: Double(own) / frames / 1000, switchesPerFrame: Double(switches) / frames,
      wakeUpsPerFrame: Double(wakeUps) / frames, presented: presented,
      flipped: after.framesFlipped - before.framesFlipped,
      superseded: after.framesSuperseded - before.framesSuperseded,
      rejected: after.framesRejected - before.framesRejected, cpuCopies: after.cpuCopies - before.cpuCopies,
      copiedBytes: after.copiedBytes - before.copiedBytes, answer: Percentiles(load.answers), stages: stages)
  }

  /// Checks that the screen shows the last presented picture.
  func requirePicture() throws(BenchError) {
    let (drawn, shown) = (source.checksumOfShown(), try daemon.shownChecksum())
    guard drawn == shown else {
      throw BenchError("the screen shows \(shown.text), but the last presented picture is \(drawn.text)")
    }
  }

  private func backendFigures() throws(BenchError) -> ProcessFigures {
    guard let backend else { return ProcessFigures() }
    return try ProcessFigures(pid: backend.process.pid, name: backend.name)
  }
}
