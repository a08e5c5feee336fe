import ArgumentParser
import CommandSupport
import FramepathBench

/// `framepath bench scale`.
struct BenchScaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale",
    abstract: "Measures many VMs on one daemon: frames, CPU time, memory and fairness.",
    discussion: """
      Every VM has its own output, and draws a whole frame for each of its vblanks (the complete device, blobs). This \
      program plays all guests in one thread; its CPU time is reported too, because it competes for the processors.

      Example:
        framepath bench scale --vms 1,4,16 --size 1280x720 --seconds 5 -o scale.html
      """)

  @Option(help: ArgumentHelp("Numbers of VMs, each at most 64.", valueName: "count,…"))
  var vms = VMCounts([1, 2, 4, 8, 16, 32, 64])
  @Option(help: ArgumentHelp("Frame size.", valueName: "WxH")) var size = BenchSizes([(640, 480)])
  @Option(help: ArgumentHelp("Refresh rate of the outputs.", valueName: "hertz")) var rate = 60
  @Option(help: "The backends' --path.") var path = BenchThroughputCommand.Path.auto
  @Option(help: ArgumentHelp("Length of each run.", valueName: "seconds")) var seconds = 2.0
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard size.sizes.count == 1 else { throw ValidationError("--size takes one size.") }
    guard (0.05...600).contains(seconds) else { throw ValidationError("--seconds takes 0.05 to 600.") }
    guard (1...1000).contains(rate) else { throw ValidationError("--rate takes 1 to 1000.") }
  }

  func run() throws {
    try options.supervised {
      var bench = ScaleBench(options.benchPrograms)
      bench.counts = vms.counts
      if let size = size.sizes.first { bench.size = size }
      bench.refreshHertz = rate
      bench.seconds = seconds
      bench.path = path.rawValue
      bench.runCount = options.runs
      bench.progress = options.progress
      let report = try bench.run()
      try options.show(report, BenchScaleCommand.lines(report), report.page(command: options.commandLine))
    }
  }

  /// The report as text.
  static func lines(_ report: ScaleReport) -> [String] {
    let mebibyte = 1_048_576.0
    var table = TextTable([
      ">VMS", ">FRAMES/S OF A VM", ">ALL", ">BACKEND CPU", ">DAEMON CPU", ">GUESTS' CPU", ">MiB OF A BACKEND",
      ">MiB OF THE DAEMON", ">FAIRNESS",
    ])
    for point in report.points {
      table.add([
        "\(point.vms)", point.spread { $0.rates.median }.text(decimals: 1),
        point.spread { Double($0.allFrames) / $0.seconds }.text(decimals: 0),
        point.spread { $0.backendMicroseconds }.text(decimals: 0),
        point.spread { $0.daemonMicroseconds }.text(decimals: 0),
        point.spread { $0.harnessMicroseconds }.text(decimals: 0),
        point.spread { $0.backendPrivateBytes.median / mebibyte }.text(decimals: 1),
        point.spread { Double($0.daemonPrivateBytes) / mebibyte }.text(decimals: 1),
        point.spread { $0.fairness }.text(decimals: 4),
      ])
    }
    return [
      report.machine.line,
      "\(report.width)x\(report.height) at \(report.refreshHertz) Hz, path \(report.path), "
        + "\(report.points.first?.runs.count ?? 0) runs: median (min…max); CPU times in µs per frame",
    ] + table.lines
  }
}

/// `1,4,16`.
struct VMCounts: ExpressibleByArgument {
  var counts: [Int]

  init(_ counts: [Int]) { self.counts = counts }

  init?(argument: String) {
    counts = []
    for text in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let count = Int(text), (1...64).contains(count) else { return nil }
      counts.append(count)
    }
  }

  var defaultValueDescription: String { counts.map { "\($0)" }.joined(separator: ",") }
}
