import ArgumentParser
import HostProbe
import LinuxIO
import PresentClient
import StatusModel

/// `framepath status`.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows what is on which screen, by which path, and at what cost.",
    discussion: """
      PATH says how a frame reaches the screen: direct (the hardware reads the guest's own pages), copy (one copy by a \
      CPU) or blit (composed by the daemon); below it stands why no better one was possible.

      Examples:
        framepath status
        framepath status --json | jq '.vms[].name'
        framepath status --watch
        framepath status --openmetrics
      """)

  @Flag(help: "The daemon's JSON as it came.") var json = false
  @Flag(help: "OpenMetrics text, for Prometheus and others (Docs/Metrics.md).") var openmetrics = false
  @Flag(help: "Refresh every second.") var watch = false
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard !(json && openmetrics) else { throw ValidationError("--json and --openmetrics exclude each other.") }
    guard !(watch && openmetrics) else { throw ValidationError("--watch and --openmetrics exclude each other.") }
  }

  func run() throws {
    repeat {
      let text = try text()
      if watch && HostProcess.isOutputTerminal { print("\u{1B}[H\u{1B}[2J", terminator: "") }
      try LinuxFile.writeToStandardOutput(text)
      if watch { HostProcess.sleep(milliseconds: 1000) }
    } while watch
  }

  private func text() throws -> [UInt8] {
    if json {
      return try daemon.answer { path throws(PresentClientError) in try PresentTool.statusJSON(path: path) } + [0x0A]
    }
    let status = try daemon.answer { path throws(PresentClientError) in try PresentTool.status(path: path) }
    if openmetrics { return Array(OpenMetrics.text(of: status).utf8) }
    return Array((StatusTables(status).lines.joined(separator: "\n") + "\n").utf8)
  }
}
