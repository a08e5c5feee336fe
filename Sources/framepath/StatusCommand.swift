import ArgumentParser
import HostProbe
import LinuxIO
import PresentClient
import StatusModel

/// `framepath status`.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows outputs and VMs, the path of each VM's frames and its cost.",
    discussion: """
      PATH is how frames reach the screen: direct (the hardware reads the guest's own pages), copy (one copy by a CPU) \
      or blit (composed by the daemon). The line below it says why a better path is unavailable.

      With --watch the tables are redrawn when the daemon reports a change of an output, a VM, a path, the focus or a \
      setting. Counters of frames and bytes are not reported; they are read every --interval, by default every second, \
      and only with --watch.

      Examples:
        framepath status
        framepath status --json | jq '.vms[].name'
        framepath status --watch
        framepath status --watch --interval 10
        framepath status --openmetrics
      """)

  @Flag(help: "Print the daemon's JSON unchanged.") var json = false
  @Flag(help: "Print OpenMetrics text, for Prometheus and others (Docs/Metrics.md).") var openmetrics = false
  @Flag(help: "Redraw after each change, until interrupted.") var watch = false
  @Option(help: ArgumentHelp("With --watch, how often to read the counters.", valueName: "seconds"))
  var interval = 1.0
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard !(json && openmetrics) else { throw ValidationError("--json and --openmetrics exclude each other.") }
    guard !(watch && openmetrics) else { throw ValidationError("--watch and --openmetrics exclude each other.") }
    guard (0.1...60).contains(interval) else { throw ValidationError("--interval takes 0.1 to 60 seconds.") }
  }

  func run() throws {
    if watch { return try showChanges() }
    let status = try daemon.answer { path throws(PresentClientError) in try PresentTool.statusJSON(path: path) }
    try LinuxFile.writeToStandardOutput(try text(status))
  }

  /// Draws until the daemon cannot be reached.
  private func showChanges() throws {
    let feed = StatusFeed(daemon, loop: try EventLoop())
    let clear = Array((HostProcess.isOutputTerminal ? "\u{1B}[H\u{1B}[2J" : "").utf8)
    while true {
      try LinuxFile.writeToStandardOutput(clear + (try text(try feed.statusJSON())))
      try feed.wait(atMost: monotonicNanoseconds() + UInt64(interval * 1e9))
    }
  }

  private func text(_ statusJSON: [UInt8]) throws -> [UInt8] {
    if json { return statusJSON + [0x0A] }
    let status = try daemon.decoded(statusJSON)
    if openmetrics { return Array(OpenMetrics.text(of: status).utf8) }
    return Array((StatusTables(status).lines.joined(separator: "\n") + "\n").utf8)
  }
}
