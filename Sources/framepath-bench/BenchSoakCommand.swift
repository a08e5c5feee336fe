import ArgumentParser
import CommandSupport
import FramepathBench
import LinuxIO

/// `framepath bench soak`.
struct BenchSoakCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "soak",
    abstract: "Runs many clients of every kind for a long time, and checks that memory and descriptors do not grow.",
    discussion: """
      A quarter each are VMs with the complete device, VMs with vhost-user-gpu, VMs with a region (framepath-ivshmem) \
      and containers. Each has its own output and shows a frame at every vblank. --visitors of them reconnect, one \
      every --visit seconds. The daemon and the backends are sampled while all clients are connected; growth is the \
      minimum of the second half of the samples minus the maximum of the first half.

      Exits with status 1 if something has grown, or if the daemon takes more than 4 MiB per client without its buffers.

      Example:
        framepath bench soak --vms 64 --seconds 600
      """)

  @Option(help: ArgumentHelp("Number of clients.", valueName: "count")) var vms = 64
  @Option(help: ArgumentHelp("How many of them reconnect.", valueName: "count")) var visitors = 8
  @Option(help: ArgumentHelp("Length of the run.", valueName: "seconds")) var seconds = 600.0
  @Option(help: ArgumentHelp("Time between two reconnects.", valueName: "seconds")) var visit = 1.0
  @Option(help: ArgumentHelp("Time between two samples.", valueName: "seconds")) var sample = 10.0
  @Option(help: ArgumentHelp("Frame size.", valueName: "WxH")) var size = BenchSizes([(640, 480)])
  @Option(help: ArgumentHelp("Refresh rate of the outputs.", valueName: "hertz")) var rate = 60
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
      "\(report.clients) clients, \(report.visitors) of them reconnect (\(report.samples.last?.visits ?? 0) times), "
        + "\(report.width)x\(report.height) at \(report.refreshHertz) Hz, \(Int(report.seconds)) s, "
        + "\(report.samples.count) samples",
      "frames per second of a client: \(report.rates.text(decimals: 1))",
      "daemon's private memory without framebuffers: \(fixed(report.bytesPerClient / 1024)) KiB per client, and "
        + "\(fixed(Double(report.emptyPrivateBytes) / 1_048_576)) MiB without any",
    ] + table.lines
  }
}
