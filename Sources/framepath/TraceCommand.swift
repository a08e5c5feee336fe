import ArgumentParser
import HostProbe
import LinuxIO
import PresentClient
import StatusModel

/// `framepath trace`.
struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Writes a trace of the last frames for ui.perfetto.dev or chrome://tracing.",
    discussion: """
      The daemon records the last 512 frames of every scanout. Each has up to four stages: in the backend (from the \
      guest's kick to the present), waiting for its commit, waiting for the vblank, and on screen until its buffer is \
      released.

      Examples:
        framepath trace -o trace.json
        framepath trace --vm web --seconds 2 -o -
      """)

  @Option(name: .customShort("o"), help: ArgumentHelp("The file to write; - is standard output.", valueName: "file"))
  var file: String
  @Option(help: ArgumentHelp("Length of the trace.", valueName: "seconds")) var seconds = 10.0
  @Option(help: ArgumentHelp("Only this VM.", valueName: "name")) var vm: String?
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard seconds > 0, seconds <= 3600 else { throw ValidationError("--seconds takes more than 0, up to 3600.") }
    guard !file.isEmpty else { throw ValidationError("The file's name is empty.") }
  }

  func run() throws {
    let trace = try daemon.answer { path throws(PresentClientError) in try PresentTool.trace(path: path) }
    if let vm, !trace.scanouts.contains(where: { $0.vm == vm }) {
      let known = trace.scanouts.map(\.vm).joined(separator: ", ")
      throw HostProbeError("There is no VM \(vm). \(known.isEmpty ? "There is none at all." : "There are: \(known)")")
    }
    let bytes = try ChromeTrace(trace, seconds: seconds, vm: vm).json()
    if file == "-" {
      try LinuxFile.writeToStandardOutput(bytes)
    } else {
      try LinuxFile.replace(file, with: bytes)
    }
  }
}
