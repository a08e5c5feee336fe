import ArgumentParser
import CommandSupport
import FramepathBench

/// `framepath bench memcpy`.
struct BenchMemcpyCommand: ParsableCommand {
  /// One size's figures.
  struct Result: Codable {
    var width: Int
    var height: Int
    var microsecondsPerPicture: Spread
    var gigabytesPerSecond: Spread
    /// Our copy on several threads; empty if not requested.
    var shared: [Shared] = []
  }

  /// A copy on several threads compared with plain memcpy in the same run, in wall-clock time.
  struct Shared: Codable {
    var threads: Int
    var microsecondsPerPicture: Spread
    /// The speedup over plain memcpy on one thread.
    var speedup: Spread
  }

  static let configuration = CommandConfiguration(
    commandName: "memcpy", abstract: "Measures plain memcpy in shared memory: the lowest cost of a copy.")

  @Option(help: ArgumentHelp("Frame sizes.", valueName: "WxH,…")) var sizes = BenchSizes.usual
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "Also measure our copy on this many threads, and memcpy in the same run; repeatable.",
      valueName: "count"))
  var threads: [Int] = []
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard threads.allSatisfy({ (1...64).contains($0) }) else { throw ValidationError("--threads takes 1 to 64.") }
  }

  func run() throws {
    var results: [Result] = []
    for size in sizes.sizes {
      let byteCount = size.width * size.height * 4
      var times: [Double] = []
      for _ in 0..<options.runs {
        var probe = try MemcpyProbe(byteCount: byteCount)
        probe.run(milliseconds: 300)
        times.append(probe.nanosecondsPerPicture)
      }
      results.append(
        Result(
          width: size.width, height: size.height, microsecondsPerPicture: Spread(times.map { $0 / 1000 }),
          gigabytesPerSecond: Spread(times.map { $0 > 0 ? Double(byteCount) / $0 : 0 }),
          shared: try shared(width: size.width, height: size.height)))
    }
    var table = TextTable(["SIZE", ">µs PER PICTURE", ">GB/s"])
    for result in results {
      table.add([
        "\(result.width)x\(result.height)", result.microsecondsPerPicture.text(decimals: 0),
        result.gigabytesPerSecond.text(decimals: 2),
      ])
    }
    var lines = [Machine.now().line] + table.lines
    if !threads.isEmpty { lines += [""] + BenchMemcpyCommand.sharedTable(results).lines }
    try options.show(results, lines, BenchMemcpyCommand.page(results, options.commandLine))
  }

  private func shared(width: Int, height: Int) throws -> [Shared] {
    if threads.isEmpty { return [] }
    var runs: [SharedCopyProbe] = []
    for _ in 0..<options.runs {
      var probe = try SharedCopyProbe(width: width, height: height, threadCounts: threads)
      probe.run(milliseconds: 300)
      runs.append(probe)
    }
    return threads.indices.map { place in
      Shared(
        threads: threads[place],
        microsecondsPerPicture: Spread(runs.map { $0.sharedNanoseconds(place) / 1000 }),
        speedup: Spread(runs.map { $0.memcpyNanoseconds / $0.sharedNanoseconds(place) }))
    }
  }

  private static func sharedTable(_ results: [Result]) -> TextTable {
    var table = TextTable(["SIZE", ">THREADS", ">µs PER PICTURE", ">× MEMCPY"])
    for result in results {
      for shared in result.shared {
        table.add([
          "\(result.width)x\(result.height)", "\(shared.threads)", shared.microsecondsPerPicture.text(decimals: 0),
          shared.speedup.text(decimals: 2),
        ])
      }
    }
    table.add(note: "wall-clock time; memcpy runs on one thread, in the same run")
    return table
  }

  private static func page(_ results: [Result], _ command: String) -> ReportPage {
    let bars = { (figure: (Result) -> Spread) in
      results.map { BarChart.Bar("\($0.width)x\($0.height)", figure($0)) }
    }
    var section = ReportPage.Section(title: "memcpy between shared memory")
    section.charts = [
      BarChart("One picture", unit: "µs of CPU time", bars: bars { $0.microsecondsPerPicture }),
      BarChart("Rate", unit: "GB/s", bars: bars { $0.gigabytesPerSecond }),
    ]
    return ReportPage(
      title: "The lowest cost of a copy", command: command, notes: [Machine.now().text], sections: [section])
  }
}
