import ArgumentParser
import FrameScheduler
import FrameSimulator
import FramepathBench

/// `framepath bench schedule`.
struct BenchScheduleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schedule",
    abstract: "Simulates many VMs on one output, under the daemon's policies and published ones.",
    discussion: """
      The scheduler is the daemon's; VMs, output and clock are simulated, so the figures are the same on every \
      machine. Workloads: equal, weighted, promised, single, idle, mix, heavy, very-heavy, deep-queues, victims, or a \
      hostile VM beside the victims: \(Hostility.allCases.map(\.rawValue).joined(separator: ", ")). \
      Policies: \(policyNames.joined(separator: ", ")). Without --workload, prints the table of Docs/Scheduler.md.

      Examples:
        framepath bench schedule
        framepath bench schedule --workload equal --vms 16 --policy "DRM FAIR"
        framepath bench schedule --workload flushFlood -o flood.html
      """)

  @Option(help: ArgumentHelp("A policy; repeatable. Default: hybrid, for the table all.", valueName: "name"))
  var policy: [String] = []
  @Option(help: ArgumentHelp("The load of the VMs.", valueName: "name")) var workload: String?
  @Option(help: ArgumentHelp("Number of VMs, for equal and promised.", valueName: "count")) var vms: Int?
  @Option(help: ArgumentHelp("Simulated time.", valueName: "seconds")) var seconds = 10
  @Flag(help: "Print all figures as JSON.") var json = false
  @Option(name: .customShort("o"), help: ArgumentHelp("Also write a page with plots.", valueName: "file"))
  var page: String?

  private static let policyNames = SchedulingPolicy.allCases.map(\.rawValue) + Baseline.allCases.map(\.rawValue)

  func validate() throws {
    guard (1...3600).contains(seconds) else { throw ValidationError("--seconds takes 1 to 3600.") }
    guard (1...63).contains(vms ?? 1) else { throw ValidationError("--vms takes 1 to 63.") }
    guard vms == nil || ["equal", "promised"].contains(workload) else {
      throw ValidationError("--vms requires --workload equal or promised.")
    }
    for name in policy where !BenchScheduleCommand.policyNames.contains(name) {
      throw ValidationError(
        "Unknown policy \(name). The policies are: \(BenchScheduleCommand.policyNames.joined(separator: ", ")).")
    }
    if let workload, chosenWorkload == nil {
      throw ValidationError("Unknown workload \(workload). See framepath bench schedule --help.")
    }
    guard page == nil || workload != nil else { throw ValidationError("-o requires --workload.") }
  }

  func run() throws {
    guard let chosenWorkload else {
      let comparison = try explained { () throws(SchedulerError) -> Comparison in try compare() }
      return json ? try BenchOptions.writeJSON(comparison) : print(comparison.table())
    }
    let results = try explained { () throws(SchedulerError) -> [SimulationResult] in try play(chosenWorkload) }
    if let page {
      try ScheduleReport(results).write(page, command: BenchOptions.commandLine)
    }
    if json {
      try BenchOptions.writeJSON(results)
    } else {
      print(ScheduleReport(results).lines.joined(separator: "\n"))
    }
  }

  private func explained<Figures>(_ body: () throws(SchedulerError) -> Figures) throws -> Figures {
    do throws(SchedulerError) {
      return try body()
    } catch {
      throw BenchError("The workload's VMs cannot be scheduled: \(error)")
    }
  }

  private var chosenWorkload: Workload? {
    switch workload {
    case nil: nil
    case "equal"?: .equal(vms ?? 4)
    case "weighted"?: .weighted([1, 2, 4, 8])
    case "promised"?: .promised(vms ?? 8)
    case "single"?: .single
    case "idle"?: .idle
    case "mix"?: .displayMix
    case "heavy"?: .interactiveBesideHeavy
    case "very-heavy"?: .interactiveBesideVeryHeavy
    case "deep-queues"?: .deepQueues
    case "victims"?: .victims
    case let name?: Hostility(rawValue: name).map { .hostile($0) }
    }
  }

  private func play(_ workload: Workload) throws(SchedulerError) -> [SimulationResult] {
    var results: [SimulationResult] = []
    for name in policy.isEmpty ? [SchedulingPolicy.hybrid.rawValue] : policy {
      if let ours = SchedulingPolicy(rawValue: name) {
        results.append(try Simulation.run(workload, policy: ours, seconds: seconds))
      } else if let baseline = Baseline(rawValue: name) {
        results.append(Simulation.run(workload, baseline: baseline, seconds: seconds))
      }
    }
    return results
  }

  private func compare() throws(SchedulerError) -> Comparison {
    var (ours, baselines) = (policy.compactMap(SchedulingPolicy.init(rawValue:)), policy.compactMap(Baseline.init))
    if policy.isEmpty { (ours, baselines) = ([.hybrid, .weightedFair, .sla, .roundRobin, .fifo], Baseline.allCases) }
    return try Simulation.compare(policies: ours, baselines: baselines, seconds: seconds)
  }
}
