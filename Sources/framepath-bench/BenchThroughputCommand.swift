public import ArgumentParser
import CommandSupport
public import FramepathBench

extension BenchDevice: ExpressibleByArgument {}

/// `framepath bench throughput`.
struct BenchThroughputCommand: ParsableCommand {
  /// The backend's paths.
  enum Path: String, ExpressibleByArgument, CaseIterable {
    case auto
    case copy
    case direct
  }

  /// Which peers.
  enum Peers: String, ExpressibleByArgument, CaseIterable { case auto }

  static let configuration = CommandConfiguration(
    commandName: "throughput",
    abstract: "Frames per second, CPU time per frame, copies and latencies.",
    discussion: """
      The complete device's guest draws into blobs and waits for the screen at every flush; at 1000 Hz it shows how \
      fast it could be. The guest of vhost-user-gpu transfers images and never waits. ivshmem is our guest library on \
      a region of framepath-ivshmem, and waits for the screen as well; client is a container with four buffers of the \
      daemon, which replaces frames that are not on screen yet.

      Peers are other vhost-user GPU backends, which get the requests of a vhost-user-gpu guest in the same run; this \
      program is their QEMU, and takes the pictures that they send.

      Examples:
        framepath bench throughput --device vhost-user-gpu --seconds 2
        framepath bench throughput --sizes 3840x2160 --peers auto
        framepath bench throughput --device ivshmem --sizes 1920x1080
      """)

  @Option(help: ArgumentHelp("Sizes of the picture.", valueName: "WxH,…")) var sizes = BenchSizes.usual
  @Option(help: "The guest's device.") var device = BenchDevice.complete
  @Option(help: "The backend's --path.") var path = Path.auto
  @Option(help: ArgumentHelp("How long each of the main phases takes.", valueName: "seconds")) var seconds = 1.0
  @Option(
    help: ArgumentHelp("How much of a picture lies in one piece of guest memory.", valueName: "bytes"))
  var runBytes = 1 << 20
  @Option(help: ArgumentHelp("Drive the backend that listens there with the same load.", valueName: "socket"))
  var peer: String?
  @Option(help: "auto: start those that are installed, and drive them as well.") var peers: Peers?
  @Flag(inversion: .prefixedNo, help: "Also drive a backend that does nothing: what the bench itself costs.")
  var harness = true
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard (0.05...600).contains(seconds) else { throw ValidationError("--seconds takes 0.05 to 600.") }
    guard path == .auto || device == .complete || device == .vhostUserGPU else {
      throw ValidationError("--path is for complete and vhost-user-gpu; \(device.rawValue) never copies.")
    }
    guard runBytes >= 4096, runBytes % 4096 == 0 else {
      throw ValidationError("--run-bytes takes whole pages of 4096 bytes.")
    }
  }

  func run() throws {
    try options.supervised {
      var bench = ThroughputBench(options.benchPrograms)
      bench.device = device
      bench.path = path.rawValue
      bench.sizes = sizes.sizes
      bench.seconds = seconds
      bench.runCount = options.runs
      bench.runBytes = runBytes
      bench.measuresHarness = harness
      bench.progress = options.progress
      if let peer { bench.peers.append(.listening(socket: peer)) }
      if peers == .auto {
        bench.peers += BenchPeer.installed()
        if bench.peers.isEmpty {
          options.progress("no peer is installed: QEMU's vhost-user-gpu (make lab has one) or vhost-device-gpu")
        }
      }
      let report = try bench.run()
      try options.show(report, BenchThroughputCommand.lines(report), report.page(command: options.commandLine))
    }
  }

  /// The report as text.
  static func lines(_ report: ThroughputReport) -> [String] {
    var lines = [
      report.machine.line,
      "device \(report.device.rawValue), path \(report.path), \(report.sizes.first?.runs.count ?? 0) runs: "
        + "median (min…max); CPU times in µs per frame",
    ]
    for size in report.sizes {
      lines.append("")
      let last = size.runs.last
      lines.append("\(size.width)x\(size.height)  path \(last?.path ?? "-"): \(last?.pathReason ?? "")")
      lines += table(size).lines
      lines += [""] + stageTable(size).lines
      lines += peerTable(size)
    }
    return lines
  }

  private static func table(_ size: ThroughputReport.Size) -> TextTable {
    var table = TextTable(["", ">UNPACED", ">UNPACED 16x16", ">PACED", ">PACED 16x16"])
    let phases: [(ThroughputRun) -> PhaseFigures] = [
      { $0.unpaced }, { $0.unpacedCorner }, { $0.paced }, { $0.pacedCorner },
    ]
    let row = { (title: String, decimals: Int, figure: @escaping (PhaseFigures) -> Double) -> [String] in
      [title] + phases.map { phase in size.spread { figure(phase($0)) }.text(decimals: decimals) }
    }
    table.add(row("frames per second", 0) { $0.framesPerSecond })
    table.add(row("backend CPU", 1) { $0.backendMicroseconds })
    table.add(row("daemon CPU", 1) { $0.daemonMicroseconds })
    table.add(row("both", 1) { $0.totalMicroseconds })
    table.add(row("the bench's own CPU", 1) { $0.harnessMicroseconds })
    table.add(row("context switches per frame", 2) { $0.switchesPerFrame })
    table.add(row("wake-ups per frame", 2) { $0.wakeUpsPerFrame })
    table.add(row("copies per frame", 2) { Double($0.cpuCopies) / Double(max($0.frames, 1)) })
    table.add(row("bytes copied per frame", 0) { Double($0.copiedBytes) / Double(max($0.frames, 1)) })
    table.add(row("superseded per frame", 2) { Double($0.superseded) / Double(max($0.frames, 1)) })
    table.add(row("kick to answer, median", 0) { Double($0.answer.median) / 1000 })
    table.add(row("flip to flip, periods, median", 2) { $0.stages?.medianPeriods ?? 0 })
    table.add(row("flip to flip, periods, 99 %", 2) { $0.stages?.p99Periods ?? 0 })
    if size.runs.contains(where: { $0.wakeUpFloor != nil }) {
      let floor = { (figure: KeyPath<WakeUpFloor, Double>) -> String in
        size.spread { $0.wakeUpFloor?[keyPath: figure] ?? 0 }.text(decimals: 1)
      }
      table.add(
        note: "a wake-up of a process that does nothing: paced \(floor(\.pacedMicroseconds)) µs, at 1000 Hz "
          + "\(floor(\.fastMicroseconds)) µs, one after the other \(floor(\.unpacedMicroseconds)) µs")
      table.add(
        note: "a paced frame's CPU over that of as many such wake-ups: "
          + size.spread { $0.overBareWakeUps ?? 0 }.text(decimals: 2))
    }
    table.add(note: "plain memcpy of the picture: \(size.spread { $0.memcpyMicroseconds }.text(decimals: 0)) µs")
    table.add(note: "our copy's rate to memcpy's: \(size.spread { $0.copyRateRatio }.text(decimals: 3))")
    return table
  }

  /// Each peer beside us: its figures, and the ratios of the runs one by one.
  private static func peerTable(_ size: ThroughputReport.Size) -> [String] {
    guard let names = size.runs.first?.peers.map(\.name), !names.isEmpty else { return [] }
    var table = TextTable([
      "PEER", ">UNPACED FPS", ">CPU", ">16x16 CPU", ">PACED CPU", ">OUR FPS / ITS", ">COPIED", ">ITS CPU / OURS",
      ">PER PICTURE", ">PACED",
    ])
    for (index, name) in names.enumerated() {
      let figure = { (decimals: Int, body: (ThroughputRun, PeerRun) -> Double) -> String in
        size.spread { body($0, $0.peers[index]) }.text(decimals: decimals)
      }
      table.add([
        name, figure(0) { $1.unpaced.framesPerSecond }, figure(0) { $1.unpaced.backendMicroseconds },
        figure(0) { $1.unpacedCorner.backendMicroseconds }, figure(0) { $1.paced.backendMicroseconds },
        figure(1) { $0.rateRatio($1) }, figure(1) { $0.copiedRateRatio($1) },
        figure(1) { $0.unpacedCPURatio($1) }, figure(1) { $0.pictureCPURatio($1) },
        figure(1) { $0.pacedCPURatio($1) },
      ])
    }
    table.add(note: "OUR FPS and ITS CPU / OURS: frames handed over; a newer frame may replace one that waits")
    table.add(note: "COPIED and PER PICTURE: pictures that we really copied or showed, as the peer sends every one")
    return [""] + table.lines
  }

  /// A frame's way, stage by stage.
  private static func stageTable(_ size: ThroughputReport.Size) -> TextTable {
    let phases: [(ThroughputRun) -> PhaseFigures] = [
      { $0.unpaced }, { $0.paced }, { $0.idleCorner }, { $0.idleWhole },
    ]
    var table = TextTable(
      ["KICK TO, µs: 50 %, 99 %", ">UNPACED", ">PACED", ">IDLE SCREEN 16x16", ">IDLE SCREEN"])
    for stage in FrameStages.Stage.allCases {
      table.add(
        [stage.rawValue]
          + phases.map { phase in
            // Frames of 20 µs: the daemon's memory does not reach back to a flip.
            guard size.runs.contains(where: { (phase($0).stages?[stage].count ?? 0) > 0 }) else { return "-" }
            let figure = { (of: KeyPath<Percentiles, UInt64>) -> String in
              size.spread { run in Double(phase(run).stages.map { $0[stage][keyPath: of] } ?? 0) / 1000 }
                .text(decimals: 0)
            }
            return "\(figure(\.median)), \(figure(\.p99))"
          })
    }
    if phases.contains(where: { phase in size.runs.contains { phase($0).stages?.isFromKick == false } }) {
      table.add(note: "unpaced: from where the backend took the frame; it leaves frames out for newer ones")
    }
    return table
  }
}
