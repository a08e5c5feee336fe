import ArgumentParser
import HostProbe
import LinuxIO
import PNGFile
import PresentClient
import PresentProtocol

/// `framepath snapshot`.
struct SnapshotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Saves the picture of a VM or an output as a PNG file.",
    discussion: """
      The picture of an output is read back from the hardware if the card has a writeback connector, else from the \
      buffers on screen. FILE is written completely or not at all.

      Examples:
        framepath snapshot --vm web -o web.png
        framepath snapshot --vm web --scanout 1 -o second-head.png
        framepath snapshot --output HDMI-A-1 -o - | feh -
      """)

  @Option(help: ArgumentHelp("The VM to capture.", valueName: "name")) var vm: String?
  @Option(help: ArgumentHelp("The VM's scanout.", valueName: "n")) var scanout = 0
  @Option(help: ArgumentHelp("The output to capture, such as HDMI-A-1.", valueName: "name"))
  var output: String?
  @Option(name: .customShort("o"), help: ArgumentHelp("The file to write; - is standard output.", valueName: "file"))
  var file: String
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard (vm == nil) != (output == nil) else { throw ValidationError("Name a VM (--vm) or an output (--output).") }
    guard (0..<16).contains(scanout) else { throw ValidationError("A VM has scanouts 0 to 15.") }
    guard output == nil || scanout == 0 else { throw ValidationError("--scanout goes with --vm.") }
    guard !file.isEmpty else { throw ValidationError("The file's name is empty.") }
    if file == "-" && HostProcess.isOutputTerminal {
      throw ValidationError("A terminal cannot show a PNG: redirect standard output, or name a file.")
    }
  }

  func run() throws {
    let snapshot: PresentSnapshot
    do throws(PresentClientError) {
      snapshot = try PresentTool.snapshot(subject, path: daemon.path)
    } catch {
      throw daemon.explained(error)
    }
    let png = try PNGEncoder.encode(snapshot.mapped)
    do throws(SystemError) {
      if file == "-" {
        try LinuxFile.writeToStandardOutput(png)
      } else {
        try LinuxFile.replace(file, with: png)
      }
    } catch {
      throw HostProbeError("The picture could not be written: \(error)")
    }
  }

  private var subject: SnapshotSubject {
    if let vm { return .vm(name: vm, scanout: UInt32(scanout)) }
    return .output(name: output ?? "")
  }
}
