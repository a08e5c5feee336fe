import ArgumentParser
import FramepathBench

/// `framepath bench memcpy`.
struct BenchMemcpyCommand: ParsableCommand {
  /// One size's figures.
  struct Result: Codable {
    var width: Int
    var height: Int
    var microsecondsPerPicture: Spread
    var gigabytesPerSecond: Spread
  }

  static let configuration = CommandConfiguration(
    commandName: "memcpy", abstract: "Plain memcpy of pictures in shared memory: what a copy costs at best.")

  @Option(help: ArgumentHelp("Sizes of the picture.", valueName: "WxH,…")) var sizes = BenchSizes.usual
  @OptionGroup var options: BenchOptions

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
          gigabytesPerSecond: Spread(times.map { $0 > 0 ? Double(byteCount) / $0 : 0 })))
    }
    var table = TextTable(["SIZE", ">µs PER PICTURE", ">GB/s"])
    for result in results {
      table.add([
        "\(result.width)x\(result.height)", result.microsecondsPerPicture.text(decimals: 0),
        result.gigabytesPerSecond.text(decimals: 2),
      ])
    }
    try options.show(results, [Machine.now().line] + table.lines, BenchMemcpyCommand.page(results, options.commandLine))
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
      title: "What a copy costs at best", command: command, notes: [Machine.now().text], sections: [section])
  }
}
