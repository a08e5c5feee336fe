public import ArgumentParser
import CommandSupport
public import FrameScheduler
import FrameSimulator
import FramepathBench
import LinuxIO

/// `framepath bench decisions`.
struct BenchDecisionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decisions",
    abstract: "Measures the scheduler's decision times with many VMs on one output.",
    discussion: """
      Every VM announces three frames per vblank; a third of the VMs are on planes, a quarter have a promised rate. \
      The longest wake-up of each vblank counts, which serves every VM and commits. Measure release builds on a quiet \
      machine.

      Example:
        framepath bench decisions --vms 64 --vblanks 20000
      """)

  @Option(help: ArgumentHelp("A policy; repeatable. Default: all.", valueName: "name"))
  var policy: [SchedulingPolicy] = SchedulingPolicy.allCases
  @Option(help: ArgumentHelp("Number of VMs on the output.", valueName: "count")) var vms: UInt32 = 64
  @Option(help: ArgumentHelp("Vblanks per run.", valueName: "count")) var vblanks = 10_000
  @Option(help: ArgumentHelp("Runs per policy; policies take turns.", valueName: "count")) var runs = 5
  @Flag(help: "Print all figures as JSON.") var json = false

  /// One run of a policy.
  struct Run: Codable {
    var policy: String
    var wake: Percentiles
    var flip: Percentiles
    var frameNanoseconds: Double
  }

  func validate() throws {
    guard (1...64).contains(vms) else { throw ValidationError("--vms takes 1 to 64.") }
    guard (100...10_000_000).contains(vblanks) else { throw ValidationError("--vblanks takes 100 to 10000000.") }
    guard (1...1000).contains(runs) else { throw ValidationError("--runs takes 1 to 1000.") }
  }

  func run() throws {
    var results: [Run] = []
    for _ in 0..<runs { for name in policy { results.append(try measure(name)) } }
    if json { return try BenchOptions.writeJSON(results) }
    let figure = { (name: SchedulingPolicy, figure: (Run) -> Double) -> String in
      Spread(results.filter { $0.policy == name.rawValue }.map(figure)).text(decimals: 1)
    }
    var table = TextTable(["", ">WAKE-UP, µs: 50 %", ">99 %", ">FLIP, µs: 50 %", ">99 %", ">A FRAME, µs"])
    for name in policy {
      table.add([
        name.rawValue, figure(name) { Double($0.wake.median) / 1000 }, figure(name) { Double($0.wake.p99) / 1000 },
        figure(name) { Double($0.flip.median) / 1000 }, figure(name) { Double($0.flip.p99) / 1000 },
        figure(name) { $0.frameNanoseconds / 1000 },
      ])
    }
    print(
      ([
        Machine.now().line,
        "\(vms) VMs, \(vblanks) vblanks, \(runs) runs: median (min…max); the longest wake-up of each vblank",
      ] + table.lines).joined(separator: "\n"))
  }

  private func measure(_ policy: SchedulingPolicy) throws -> Run {
    var load: DecisionLoad
    do throws(SchedulerError) {
      load = try DecisionLoad(policy: policy, vmCount: vms)
    } catch {
      throw BenchError("\(vms) VMs cannot be scheduled: \(error)")
    }
    var (wakes, flips): ([UInt64], [UInt64]) = ([], [])
    wakes.reserveCapacity(vblanks)
    flips.reserveCapacity(vblanks)
    var (frames, frameCount): (UInt64, UInt64) = (0, 0)
    for number in 0..<vblanks + 50 {
      let times = load.playVblank(cost: 10_000, clock: monotonicNanoseconds)
      // The first 50 vblanks warm up caches and predictors.
      guard number >= 50 else { continue }
      wakes.append(times.longestWake)
      flips.append(times.flip)
      frames += times.frames
      frameCount += times.frameCount
    }
    return Run(
      policy: policy.rawValue, wake: Percentiles(wakes), flip: Percentiles(flips),
      frameNanoseconds: Double(frames) / Double(max(frameCount, 1)))
  }
}

extension SchedulingPolicy: ExpressibleByArgument {}
