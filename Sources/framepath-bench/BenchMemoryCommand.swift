import ArgumentParser
import CommandSupport
import FramepathBench

/// `framepath bench memory`.
struct BenchMemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "Measures private memory, start-up time and the cost of an idle guest.",
    discussion: """
      Example:
        framepath bench memory --size 3840x2160 --idle 10
      """)

  @Option(help: ArgumentHelp("Frame size.", valueName: "WxH")) var size = BenchSizes([(1920, 1080)])
  @Option(help: ArgumentHelp("Length of the idle phase.", valueName: "seconds")) var idle = 5.0
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard size.sizes.count == 1 else { throw ValidationError("--size takes one size.") }
    guard (0.01...600).contains(idle) else { throw ValidationError("--idle takes 0.01 to 600 seconds.") }
  }

  func run() throws {
    try options.supervised {
      var bench = FootprintBench(options.benchPrograms)
      if let size = size.sizes.first { bench.size = size }
      bench.idleSeconds = idle
      bench.runCount = options.runs
      bench.progress = options.progress
      let report = try bench.run()
      try options.show(report, BenchMemoryCommand.lines(report), report.page(command: options.commandLine))
    }
  }

  /// The report as text.
  static func lines(_ report: FootprintReport) -> [String] {
    let mebibyte = 1_048_576.0
    var table = TextTable(["", ">BACKEND", ">DAEMON"])
    table.add([
      "private memory without framebuffers, MiB",
      report.spread { Double($0.backendPrivateBytes) / mebibyte }.text(decimals: 1),
      report.spread { Double($0.daemonPrivateBytes) / mebibyte }.text(decimals: 1),
    ])
    table.add([
      "ready after start, ms", report.spread { $0.backendReadyMilliseconds }.text(decimals: 1),
      report.spread { $0.daemonReadyMilliseconds }.text(decimals: 1),
    ])
    table.add([
      "idle: wake-ups per second", report.spread { $0.backendWakeUpsPerSecond }.text(decimals: 2),
      report.spread { $0.daemonWakeUpsPerSecond }.text(decimals: 2),
    ])
    let seconds = TextTable.fixed(report.idleSeconds, decimals: 1)
    table.add(note: "idle: commits in \(seconds) s: \(report.spread { Double($0.idleCommits) }.text(decimals: 0))")
    let used = report.spread { $0.idleMicrosecondsPerSecond }.text(decimals: 1)
    table.add(note: "idle: CPU of both, µs per second: \(used)")
    return [
      report.machine.line, "\(report.width)x\(report.height), \(report.runs.count) runs: median (min…max)",
    ] + table.lines
  }
}
