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

  /// The peers to measure.
  enum Peers: String, ExpressibleByArgument, CaseIterable { case auto }

  static let configuration = CommandConfiguration(
    commandName: "throughput",
    abstract: "Measures frames per second, CPU time per frame, copies and latencies.",
    discussion: """
      The guest of the complete device draws into blobs and waits for the screen at every flush; unpaced, its output \
      runs at 1000 Hz. The guest of vhost-user-gpu transfers 2D resources and never waits. ivshmem is our guest \
      library on a region of framepath-ivshmem, and waits for the screen too. client is a container with four host \
      buffers, whose frames supersede those that are not on screen yet.

      Peers are other vhost-user GPU backends, driven with the requests of a vhost-user-gpu guest in the same run. \
      This program plays their QEMU, and receives the pictures that they send.

      Examples:
        framepath bench throughput --device vhost-user-gpu --seconds 2
        framepath bench throughput --sizes 3840x2160 --peers auto
        framepath bench throughput --device ivshmem --sizes 1920x1080
      """)

  @Option(help: ArgumentHelp("Frame sizes.", valueName: "WxH,…")) var sizes = BenchSizes.usual
  @Option(help: "The guest's device.") var device = BenchDevice.complete
  @Option(help: "The backend's --path.") var path = Path.auto
  @Option(help: ArgumentHelp("Length of each main phase.", valueName: "seconds")) var seconds = 1.0
  @Option(
    help: ArgumentHelp("Size of a picture's contiguous pieces of guest memory.", valueName: "bytes"))
  var runBytes = 1 << 20
  @Option(help: ArgumentHelp("Also measure the backend that listens on this socket.", valueName: "socket"))
  var peer: String?
  @Option(help: "auto: also measure the installed peers.") var peers: Peers?
  @Flag(inversion: .prefixedNo, help: "Also measure a backend that does nothing, as the cost of the benchmark itself.")
  var harness = true
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard (0.05...600).contains(seconds) else { throw ValidationError("--seconds takes 0.05 to 600.") }
    guard path == .auto || device == .complete || device == .vhostUserGPU else {
      throw ValidationError("--path requires --device complete or vhost-user-gpu; \(device.rawValue) never copies.")
    }
    guard runBytes >= 4096, runBytes % 4096 == 0 else {
      throw ValidationError("--run-bytes takes a multiple of 4096.")
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
          options.progress("no peer is installed: vhost-device-gpu, or QEMU's vhost-user-gpu (from make lab)")
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
    table.add(row("the benchmark's own CPU", 1) { $0.harnessMicroseconds })
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
        note: "a wake-up of an idle process: paced \(floor(\.pacedMicroseconds)) µs, at 1000 Hz "
          + "\(floor(\.fastMicroseconds)) µs, back to back \(floor(\.unpacedMicroseconds)) µs")
      table.add(
        note: "a paced frame's CPU time relative to that of as many such wake-ups: "
          + size.spread { $0.overBareWakeUps ?? 0 }.text(decimals: 2))
    }
    table.add(note: "plain memcpy of a frame: \(size.spread { $0.memcpyMicroseconds }.text(decimals: 0)) µs")
    table.add(note: "our copy's rate relative to memcpy's: \(size.spread { $0.copyRateRatio }.text(decimals: 3))")
    return table
  }

  /// Each peer's figures, and the ratios run by run.
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
    table.add(note: "OUR FPS and ITS CPU / OURS: presented frames, including superseded ones")
    table.add(note: "COPIED and PER PICTURE: pictures that we copied or showed; the peer sends every one")
    return [""] + table.lines
  }

  /// Latencies by stage.
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
            // With frames of 20 µs, the daemon's record may not reach back to a flip.
            guard size.runs.contains(where: { (phase($0).stages?[stage].count ?? 0) > 0 }) else { return "-" }
            let figure = { (of: KeyPath<Percentiles, UInt64>) -> String in
              size.spread { run in Double(phase(run).stages.map { $0[stage][keyPath: of] } ?? 0) / 1000 }
                .text(decimals: 0)
            }
            return "\(figure(\.median)), \(figure(\.p99))"
          })
    }
    if phases.contains(where: { phase in size.runs.contains { phase($0).stages?.isFromKick == false } }) {
      table.add(note: "unpaced: from when the backend took the frame, because it skips superseded frames")
    }
    return table
  }
}
