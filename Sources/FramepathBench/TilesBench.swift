import DaemonSettings
import LinuxIO
import PresentClient
import StatusModel

/// `framepath bench tiles`: many VMs on one output, each at every vblank, without and with hostile clients.
public struct TilesBench {
  /// Numbers of VMs.
  public var counts = [4, 16]
  /// framepathd's `--output`.
  public var output = "headless:1280x720@60"
  /// Length of each stretch, seconds.
  public var seconds = 5.0
  /// The number of stretches without hostile clients, and of those with them.
  public var runCount = 5
  /// Called with the current step.
  public var progress: (String) -> Void = { _ in }

  private let programs: BenchPrograms

  /// A benchmark of these programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures everything.
  public func run() throws(BenchError) -> TilesReport {
    var report = TilesReport(output: output, seconds: seconds, machine: .now(), points: [])
    for count in counts { report.points.append(try measure(count)) }
    return report
  }

  private func measure(_ count: Int) throws(BenchError) -> TilesReport.Point {
    let daemon = try BenchDaemon(programs, outputs: [output])
    // A grid with room for the hostile clients, so that tiles keep their size when they connect.
    let columns = (1...64).first { $0 * $0 >= count + 2 } ?? 64
    let rows = (count + 2 + columns - 1) / columns
    do throws(PresentClientError) {
      let layout = SettingChange(.allOutputs, 1, .layout(.grid(columns: columns, rows: rows)))
      try PresentTool.perform(.settings(layout.records), path: daemon.controlSocket)
    } catch {
      throw BenchError("framepathd: \(error)")
    }
    let loop = try mapped { () throws(SystemError) in try EventLoop() }
    var players: [TilePlayer] = []
    for index in 0..<count { players.append(try TilePlayer(loop, daemon.socket, name: "vm\(index)")) }
    try serve(loop, players) { players.allSatisfy(\.isReady) }
    for player in players { try player.begin() }
    try play(loop, players, seconds: 1)

    let unfinished = try hostile("unfinished-client", daemon)
    let flood = try hostile("flood-client", daemon)
    defer {
      flood.kill()
      unfinished.kill()
    }
    try play(loop, players, seconds: 1)
    var point = TilesReport.Point(vms: count)
    var (floodFrames, floodSeconds) = (UInt64(0), 0.0)
    for number in 1...max(runCount, 1) {
      progress("\(count) VMs: \(number) of \(max(runCount, 1))")
      flood.signal(HostileSignal.stop)
      unfinished.signal(HostileSignal.stop)
      try play(loop, players, seconds: 0.2)
      point.alone.append(try play(loop, players, seconds: seconds))
      flood.signal(HostileSignal.go)
      unfinished.signal(HostileSignal.go)
      try play(loop, players, seconds: 0.2)
      let before = try DaemonStatus(socket: daemon.controlSocket).scanout(vm: "flood").framesPresented
      let start = monotonicNanoseconds()
      point.beside.append(try play(loop, players, seconds: seconds))
      floodSeconds += Double(monotonicNanoseconds() - start) / 1e9
      floodFrames += try DaemonStatus(socket: daemon.controlSocket).scanout(vm: "flood").framesPresented - before
    }
    point.floodPerSecond = Double(floodFrames) / max(floodSeconds, 1e-9)
    let status = try DaemonStatus(socket: daemon.controlSocket)
    point.longestCopyNanoseconds = status.longestCopyNanoseconds
    point.planes = status.vms.count { $0.scanouts.first?.pathReason?.hasPrefix("overlay plane") == true }
    return point
  }

  private func hostile(_ name: String, _ daemon: BenchDaemon) throws(BenchError) -> ChildProcess {
    var command = ChildCommand("/proc/self/exe", [name, "--socket", daemon.socket])
    command.output = .null
    command.error = .file("\(daemon.folder.path)/\(name).log")
    return try mapped { () throws(SystemError) in try ChildProcess(command) }
  }

  @discardableResult
  private func play(
    _ loop: EventLoop, _ players: [TilePlayer], seconds: Double
  ) throws(BenchError) -> [TilesReport.VM] {
    for player in players { player.record() }
    let deadline = monotonicNanoseconds() + UInt64(max(seconds, 0.01) * 1e9)
    try serve(loop, players) { monotonicNanoseconds() >= deadline }
    return players.map(\.figures)
  }

  private func serve(
    _ loop: EventLoop, _ players: [TilePlayer], until isDone: () -> Bool
  ) throws(BenchError) {
    let limit = monotonicNanoseconds() + UInt64((seconds + 30) * 1e9)
    while !isDone() {
      try mapped { () throws(SystemError) in _ = try loop.runOnce(timeoutMilliseconds: 20) }
      for player in players { if let failure = player.failure { throw BenchError(failure) } }
      guard monotonicNanoseconds() < limit else { throw BenchError("framepathd does not answer") }
    }
  }
}

/// SIGSTOP and SIGCONT.
private enum HostileSignal {
  static let stop: Int32 = 19
  static let go: Int32 = 18
}
