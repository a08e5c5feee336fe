import ArgumentParser
import CommandSupport
import FoundationEssentials
import FramepathBench
import LinuxIO
import Scanout

/// The benchmark program, which `framepath bench` runs. Each subcommand has its own file.
@main
struct FramepathBenchTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "framepath-bench",
    abstract: "Measures the cost of frames with its own processes.",
    discussion: """
      `framepath bench …` runs this program. It starts framepathd (headless) and framepath-vhost-user-gpu from its own \
      directory, and plays the guest itself: it sends the requests of a Linux guest at native speed, without an \
      emulator or a kernel. Docs/Benchmarks.md explains each figure. Measure release builds on a quiet machine.

      Examples:
        framepath bench copies
        framepath bench throughput
        framepath bench throughput --device vhost-user-gpu --runs 3 --json
        framepath bench scale -o scale.html
        framepath bench soak --vms 64 --seconds 600
        framepath bench tiles --vms 4,16
        framepath bench guest --sizes 1920x1080
        framepath bench schedule --workload equal --vms 16
        framepath bench decisions
        framepath bench memory
        framepath bench memcpy --sizes 3840x2160 --threads 2 --threads 4 --threads 8
      """,
    version: ProgramVersion.text,
    subcommands: [
      BenchCopiesCommand.self, BenchThroughputCommand.self, BenchScaleCommand.self, BenchSoakCommand.self,
      BenchTilesCommand.self, BenchGuestCommand.self, BenchScheduleCommand.self, BenchDecisionsCommand.self,
      BenchMemoryCommand.self, BenchMemcpyCommand.self, BenchEmptyBackendCommand.self, BenchWakeUpFloorCommand.self,
      BenchFloodClientCommand.self, BenchUnfinishedClientCommand.self, GarbageCommand.self,
    ])
}

/// The common options of the benchmark's commands.
struct BenchOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Runs per measurement, each with its own processes.", valueName: "count"))
  var runs = 5
  @Flag(help: "Print all figures of all runs as JSON.") var json = false
  @Option(
    name: .customShort("o"),
    help: ArgumentHelp("Also write a self-contained HTML page with plots.", valueName: "file"))
  var page: String?
  @Option(
    help: ArgumentHelp("The directory of framepathd and the backends. Default: this program's.", valueName: "folder"))
  var programs: String?

  func validate() throws {
    guard (1...1000).contains(runs) else { throw ValidationError("--runs takes 1 to 1000.") }
  }

  var benchPrograms: BenchPrograms {
    programs.map { BenchPrograms(folder: $0) } ?? .besideThisProgram()
  }

  /// Measures in a separate process, so that an interrupted measurement leaves no processes or files behind.
  func supervised(_ body: () throws -> Void) throws {
    if BenchSupervisor.isWorker {
      raiseDescriptorLimit()
      return try body()
    }
    let code = try BenchSupervisor.run(arguments: Array(CommandLine.arguments.dropFirst()))
    if code != 0 { throw ExitCode(code) }
  }

  /// Prints the current step on standard error.
  func progress(_ text: String) { writeErrorLine("framepath bench: \(text)") }

  /// The command line.
  var commandLine: String { BenchOptions.commandLine }

  /// The command line.
  static var commandLine: String {
    (["framepath", "bench"] + CommandLine.arguments.dropFirst()).joined(separator: " ")
  }

  /// Prints a report as JSON or as these lines, and writes its page if requested.
  func show(_ report: some Encodable, _ lines: [String], _ html: ReportPage) throws {
    if let page { try LinuxFile.replace(page, with: Array(html.html.utf8)) }
    if json {
      try BenchOptions.writeJSON(report)
    } else {
      try LinuxFile.writeToStandardOutput(Array((lines.joined(separator: "\n") + "\n").utf8))
    }
  }
}

extension BenchOptions {
  /// Writes figures to standard output.
  static func writeJSON(_ report: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try LinuxFile.writeToStandardOutput(Array(try encoder.encode(report)) + [0x0A])
  }
}

/// `1920x1080,3840x2160`.
struct BenchSizes: ExpressibleByArgument {
  var sizes: [(width: Int, height: Int)]

  init(_ sizes: [(width: Int, height: Int)]) { self.sizes = sizes }

  init?(argument: String) {
    sizes = []
    for text in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let size = PixelSize(text, in: 32...8192) else { return nil }
      sizes.append((size.width, size.height))
    }
  }

  var defaultValueDescription: String { sizes.map { "\($0.width)x\($0.height)" }.joined(separator: ",") }

  static let usual = BenchSizes([(640, 480), (1920, 1080), (3840, 2160)])
}

extension Spread {
  /// `median (min…max)`.
  func text(decimals: Int) -> String {
    let fixed = { TextTable.fixed($0, decimals: decimals) }
    return "\(fixed(median)) (\(fixed(min))…\(fixed(max)))"
  }
}

extension Machine {
  /// One line.
  var line: String {
    "\(processor), \(processors) processors, load \(TextTable.fixed(load, decimals: 1)), Linux \(kernel)"
  }
}
