import ArgumentParser
import CommandSupport
import FramepathBench

/// `framepath bench tiles`.
struct BenchTilesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tiles",
    abstract: "Measures many VMs on one output, without and with hostile clients.",
    discussion: """
      Every VM presents its next frame at the flip of the last one. Times are in vblanks of the output, from the \
      kernel's sequence numbers in FRAME_DONE. Every other stretch has two hostile clients: one presents as fast as \
      the daemon reads, the other presents a frame that is never finished. This program plays all VMs.

      Examples:
        framepath bench tiles --vms 4,16 --seconds 10
        framepath bench tiles --vms 4 --output kms:/dev/dri/card0
      """)

  @Option(help: ArgumentHelp("Numbers of VMs, each at most 64.", valueName: "count,…")) var vms = VMCounts([4, 16])
  @Option(help: ArgumentHelp("framepathd's --output.", valueName: "output")) var output = "headless:1280x720@60"
  @Option(help: ArgumentHelp("Length of each stretch.", valueName: "seconds")) var seconds = 5.0
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard (0.1...600).contains(seconds) else { throw ValidationError("--seconds takes 0.1 to 600.") }
  }

  func run() throws {
    try options.supervised {
      var bench = TilesBench(options.benchPrograms)
      bench.counts = vms.counts
      bench.output = output
      bench.seconds = seconds
      bench.runCount = options.runs
      bench.progress = options.progress
      let report = try bench.run()
      try options.show(report, BenchTilesCommand.lines(report), report.page(command: options.commandLine))
    }
  }

  /// The report as text.
  static func lines(_ report: TilesReport) -> [String] {
    var table = TextTable([
      ">VMS", ">PLANES", ">FRAMES A VBLANK, LEAST", ">INTERVAL 99 %, MOST", ">BESIDE HOSTILE ONES, LEAST",
      ">99 %, MOST", ">CHANGE, %", ">FLOOD, FRAMES/S",
      ">LONGEST COPY, MS",
    ])
    for point in report.points {
      let least = { (stretches: [[TilesReport.VM]]) in
        Spread(stretches.map { $0.map(\.rate).min() ?? 0 }).text(decimals: 4)
      }
      let most = { (stretches: [[TilesReport.VM]]) in
        Spread(stretches.map { Double($0.map(\.p99Periods).max() ?? 0) }).text(decimals: 0)
      }
      table.add([
        "\(point.vms)", "\(point.planes)", least(point.alone), most(point.alone), least(point.beside),
        most(point.beside), point.changePercent.text(decimals: 2), TextTable.fixed(point.floodPerSecond, decimals: 0),
        TextTable.fixed(Double(point.longestCopyNanoseconds) / 1e6, decimals: 2),
      ])
    }
    return [
      report.machine.line,
      "\(report.output), \(report.points.first?.alone.count ?? 0) stretches of \(report.seconds) s of each kind: "
        + "median (min…max); intervals in vblanks",
    ] + table.lines
  }
}

/// `framepath bench flood-client`: a hostile client of `bench tiles`.
struct BenchFloodClientCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flood-client", abstract: "Presents as fast as the daemon reads.", shouldDisplay: false)

  @Option(help: ArgumentHelp("framepathd's socket.", valueName: "path")) var socket: String

  func run() throws { try HostileClient.flood(socket: socket) }
}

/// `framepath bench unfinished-client`: a hostile client of `bench tiles`.
struct BenchUnfinishedClientCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unfinished-client", abstract: "Presents a frame that is never finished.", shouldDisplay: false)

  @Option(help: ArgumentHelp("framepathd's socket.", valueName: "path")) var socket: String

  func run() throws { try HostileClient.neverFinish(socket: socket) }
}
