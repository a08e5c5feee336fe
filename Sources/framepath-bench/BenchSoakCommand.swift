import ArgumentParser
import CommandSupport
import FramepathBench
import LinuxIO

/// `framepath bench soak`.
struct BenchSoakCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "soak",
    abstract: "Many clients of every kind on one daemon for a long time: whether memory or descriptors grow.",
    discussion: """
      A quarter each are VMs with the complete device, VMs with vhost-user-gpu, VMs with a region (framepath-ivshmem) \
      and containers; each has a screen of its own and shows a frame at every vblank. --visitors of them leave and come \
      again, one each --visit seconds. What the daemon and the backends hold is looked at while everybody is there: it \
      has grown where the least of the second half of all looks is above the greatest of the first half.

      Ends with status 1 where something has grown, or the daemon takes more than 4 MiB for a client beside its buffers.

      Example:
        framepath bench soak --vms 64 --seconds 600
      """)

  @Option(help: ArgumentHelp("Clients at once.", valueName: "count")) var vms = 64
  @Option(help: ArgumentHelp("How many of them come and go.", valueName: "count")) var visitors = 8
  @Option(help: ArgumentHelp("How long it lasts.", valueName: "seconds")) var seconds = 600.0
  @Option(help: ArgumentHelp("From one visit to the next.", valueName: "seconds")) var visit = 1.0
  @Option(help: ArgumentHelp("From one look at the processes to the next.", valueName: "seconds")) var sample = 10.0
  @Option(help: ArgumentHelp("Size of the pictures.", valueName: "WxH")) var size = BenchSizes([(640, 480)])
  @Option(help: ArgumentHelp("The screens' rate.", valueName: "hertz")) var rate = 60
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard (1...256).contains(vms) else { throw ValidationError("--vms takes 1 to 256.") }
    guard (0...vms).contains(visitors) else { throw ValidationError("--visitors takes 0 to \(vms).") }
    guard (0.5...1_000_000).contains(seconds) else { throw ValidationError("--seconds takes 0.5 to 1000000.") }
    guard (0.05...1000).contains(visit) else { throw ValidationError("--visit takes 0.05 to 1000.") }
    guard (0.1...1000).contains(sample) else { throw ValidationError("--sample takes 0.1 to 1000.") }
    guard size.sizes.count == 1 else { throw ValidationError("--size takes one size.") }
    guard (1...1000).contains(rate) else { throw ValidationError("--rate takes 1 to 1000.") }
  }

  func run() throws {
    try options.supervised {
      var bench = SoakBench(options.benchPrograms)
      bench.clientCount = vms
      bench.visitorCount = visitors
      bench.seconds = seconds
      bench.visitSeconds = visit
      bench.sampleSeconds = sample
      if let size = size.sizes.first { bench.size = size }
      bench.refreshHertz = rate
      bench.progress = options.progress
      let report = try bench.run()
      try options.show(report, BenchSoakCommand.lines(report), report.page(command: options.commandLine))
      for fault in report.faults { writeErrorLine("framepath bench: \(fault)") }
      if !report.faults.isEmpty { throw ExitCode(1) }
    }
  }

  /// The report as text.
  static func lines(_ report: SoakReport) -> [String] {
    var table = TextTable(["", ">FIRST", ">LAST", ">GROWTH", ">ALLOWED"])
    for growth in report.growths {
      table.add(
        [growth.name] + [growth.first, growth.last, growth.growth, growth.allowed].map { "\(Int($0))" })
    }
    let fixed = { (value: Double) in TextTable.fixed(value, decimals: 1) }
    return [
      report.machine.line,
      "\(report.clients) clients, \(report.visitors) of them come and go (\(report.samples.last?.visits ?? 0) visits), "
        + "\(report.width)x\(report.height) at \(report.refreshHertz) Hz, \(Int(report.seconds)) s, "
        + "\(report.samples.count) samples",
      "frames per second of a client: \(report.rates.text(decimals: 1))",
      "daemon's private memory beside frame buffers: \(fixed(report.bytesPerClient / 1024)) KiB for each client, and "
        + "\(fixed(Double(report.emptyPrivateBytes) / 1_048_576)) MiB without any",
    ] + table.lines
  }
}
