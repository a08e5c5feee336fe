import CommandSupport
import FrameSimulator
import FramepathBench
import LinuxIO

/// The results of one workload under one or more policies.
struct ScheduleReport {
  let results: [SimulationResult]

  init(_ results: [SimulationResult]) { self.results = results }

  private static let titles = [
    "VM", "weight", "announced", "shown", "fps", "interval p50", "p99", "p99.9", "max", "latency p50", "max", "late",
  ]

  /// A table for each policy.
  var lines: [String] {
    var lines: [String] = []
    for result in results {
      if !lines.isEmpty { lines.append("") }
      lines.append(ScheduleReport.summary(result))
      var table = TextTable([ScheduleReport.titles[0]] + ScheduleReport.titles.dropFirst().map { ">\($0)" })
      for vm in result.vms { table.add(ScheduleReport.cells(vm)) }
      lines += table.lines
    }
    lines.append("intervals and latencies in ms")
    return lines
  }

  /// A page with the frame times as plots.
  func write(_ path: String, command: String) throws {
    var page = ReportPage(
      title: "Scheduling of frames", command: command,
      notes: ["The daemon's scheduler in virtual time: VMs, output and clock are simulated."], sections: [])
    for result in results {
      var section = ReportPage.Section(title: "\(result.policy): \(result.workload)")
      section.notes = [ScheduleReport.summary(result)]
      let milliseconds = { (nanoseconds: Int64) in Spread([Double(nanoseconds) / 1e6]) }
      var intervals: [BarChart.Bar] = []
      var latencies: [BarChart.Bar] = []
      for vm in result.vms {
        intervals.append(BarChart.Bar("\(vm.name): median", milliseconds(vm.intervalP50)))
        intervals.append(BarChart.Bar("99 %", series: 1, milliseconds(vm.intervalP99)))
        intervals.append(BarChart.Bar("longest", series: 2, milliseconds(vm.intervalMax)))
        latencies.append(BarChart.Bar("\(vm.name): median", milliseconds(vm.latencyP50)))
        latencies.append(BarChart.Bar("longest", series: 2, milliseconds(vm.latencyMax)))
      }
      let series = ["median", "99 %", "longest"]
      section.charts = [
        BarChart("Between two frames on screen", unit: "ms", series: series, bars: intervals),
        BarChart("From ready to on screen", unit: "ms", series: series, bars: latencies),
      ]
      section.tables = [[ScheduleReport.titles] + result.vms.map(ScheduleReport.cells)]
      page.sections.append(section)
    }
    try LinuxFile.replace(path, with: Array(page.html.utf8))
  }

  private static func summary(_ result: SimulationResult) -> String {
    let jain = TextTable.fixed(result.worstSecondJain, decimals: 4)
    let share = TextTable.fixed(result.shareError * 100, decimals: 2)
    let late = TextTable.fixed(result.lateRate * 100, decimals: 2)
    let busy = TextTable.fixed(result.utilisation * 100, decimals: 0)
    return "\(result.policy), \(result.workload), \(result.seconds) s at \(result.refreshMillihertz / 1000) Hz: "
      + "Jain \(jain) (worst second), share error \(share) %, late \(late) %, copying \(busy) % of the time"
  }

  private static func cells(_ vm: VMResult) -> [String] {
    let milliseconds = { (nanoseconds: Int64) in TextTable.fixed(Double(nanoseconds) / 1e6, decimals: 1) }
    return [
      vm.isHostile ? "\(vm.name) (hostile)" : vm.name, "\(vm.weight)", "\(vm.announced)", "\(vm.shown)",
      TextTable.fixed(vm.framesPerSecond, decimals: 1), milliseconds(vm.intervalP50), milliseconds(vm.intervalP99),
      milliseconds(vm.intervalP999), milliseconds(vm.intervalMax), milliseconds(vm.latencyP50),
      milliseconds(vm.latencyMax), vm.isPromised ? "\(vm.late)" : "-",
    ]
  }
}
