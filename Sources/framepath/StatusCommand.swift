import ArgumentParser
import HostProbe
import LinuxIO
import PresentClient

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
      """)

  @Flag(help: "The daemon's JSON as it came.") var json = false
  @Flag(help: "Again every second until it is interrupted.") var watch = false
  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    repeat {
      let bytes = try fetch()
      if watch && HostProcess.isOutputTerminal { print("\u{1B}[H\u{1B}[2J", terminator: "") }
      if json {
        try LinuxFile.writeToStandardOutput(bytes)
        if bytes.last != 0x0A { try LinuxFile.writeToStandardOutput([0x0A]) }
      } else {
        let text = try StatusReport(json: bytes).lines.joined(separator: "\n") + "\n"
        try LinuxFile.writeToStandardOutput(Array(text.utf8))
      }
      if watch { HostProcess.sleep(milliseconds: 1000) }
    } while watch
  }

  private func fetch() throws -> [UInt8] {
    do throws(PresentClientError) {
      return try PresentTool.status(path: daemon.path)
    } catch {
      throw daemon.explained(error)
    }
  }
}
