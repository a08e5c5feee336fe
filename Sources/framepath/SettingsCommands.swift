import ArgumentParser
import HostProbe
import PresentClient

/// What the commands that change settings have in common: all of them speak the configuration file's words.
func change(_ settings: String, _ daemon: DaemonOptions) throws {
  do throws(PresentClientError) {
    try PresentTool.control(settings, path: daemon.path)
  } catch {
    throw daemon.explained(error)
  }
}

private func table(_ output: String?) throws -> String {
  guard let output else { return "[outputs]" }
  return "[output.\(try quoted(output))]"
}

func quoted(_ name: String) throws -> String {
  guard !name.contains(where: { $0 == "\"" || $0 == "\\" || $0.isNewline }) else {
    throw ValidationError("A name has no quotes, backslashes or line ends.")
  }
  return "\"\(name)\""
}

/// `framepath policy`.
struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Says who goes first where not everything fits before the next vblank.",
    discussion: """
      Policies: fifo, roundRobin, weightedFair, sla, hybrid (the default), exclusive. No frame is lost by a change.

      Examples:
        framepath policy weightedFair
        framepath policy --output HDMI-A-1 sla
      """)

  @Option(help: ArgumentHelp("One output; else all of them.", valueName: "name")) var output: String?
  @Argument(help: ArgumentHelp("The policy.", valueName: "policy")) var policy: String
  @OptionGroup var daemon: DaemonOptions

  func run() throws { try change("\(table(output))\npolicy = \(quoted(policy))", daemon) }
}

/// `framepath layout`.
struct LayoutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layout",
    abstract: "Says how VMs share an output.",
    discussion: """
      single: one VM has it. tile: a grid as the VMs need it, or of COLUMNSxROWS, or VM=X,Y,WIDTHxHEIGHT for each. \
      focus: one VM is shown, the others wait.

      Examples:
        framepath layout tile
        framepath layout --output HDMI-A-1 tile 4x4
        framepath layout tile web=0,0,960x1080 db=960,0,960x1080
        framepath layout focus
      """)

  @Option(help: ArgumentHelp("One output; else all of them.", valueName: "name")) var output: String?
  @Argument(help: ArgumentHelp("The layout.", valueName: "layout")) var layout: [String]
  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    try change("\(table(output))\nlayout = \(quoted(layout.joined(separator: " ")))", daemon)
  }
}

/// `framepath focus`.
struct FocusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "focus", abstract: "Shows a VM on the output that it shares in layout focus.",
    discussion: """
      Example:
        framepath focus web
      """)

  @Argument(help: ArgumentHelp("The VM.", valueName: "vm")) var vm: String
  @OptionGroup var daemon: DaemonOptions

  func run() throws { try change("focus = \(quoted(vm))", daemon) }
}

/// `framepath exclusive`.
struct ExclusiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exclusive",
    abstract: "Says how long a VM may have an output to itself, or takes it away from it.",
    discussion: """
      Of outputs with the layout focus or the policy exclusive. Who loses an output waits for its next turn; without \
      others it has it again. framepath focus gives it to a certain VM.

      Examples:
        framepath exclusive --max-hold 60 --watchdog 5
        framepath exclusive --output HDMI-A-1 --revoke
      """)

  @Option(help: ArgumentHelp("One output; else all of them.", valueName: "name")) var output: String?
  @Option(help: ArgumentHelp("Seconds after which the next VM has its turn; 0 for never.", valueName: "seconds"))
  var maxHold: Int?
  @Option(
    help: ArgumentHelp("Seconds without a frame after which a VM counts as hung; 0 for never.", valueName: "seconds"))
  var watchdog: Int?
  @Flag(help: "Take the output from the VM that has it now.") var revoke = false
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard maxHold != nil || watchdog != nil || revoke else {
      throw ValidationError("Say what to do: --max-hold, --watchdog or --revoke.")
    }
    guard !revoke || output != nil else { throw ValidationError("--revoke needs --output.") }
  }

  func run() throws {
    var lines: [String] = []
    if revoke, let output { lines.append("revoke = \(try quoted(output))") }
    lines.append(try table(output))
    if let maxHold { lines.append("max-hold = \(maxHold)") }
    if let watchdog { lines.append("watchdog = \(watchdog)") }
    try change(lines.joined(separator: "\n"), daemon)
  }
}

/// `framepath power`.
struct PowerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "power",
    abstract: "Turns outputs on, blank or off, or says when they go dark by themselves.",
    discussion: """
      blank: a black picture, the monitor stays on. off: the monitor sleeps. Either lasts until the next command; VMs \
      are not told, and draw at the rate of those that nobody sees. An output that went dark by itself comes on again \
      with the next frame, or move of the cursor, of a VM that it shows.

      Examples:
        framepath power off
        framepath power --output HDMI-A-1 on
        framepath power --idle-blank 600 --idle-off 900
        framepath power --output DP-1 --vrr single
      """)

  @Option(help: ArgumentHelp("One output; else all of them.", valueName: "name")) var output: String?
  @Option(help: ArgumentHelp("Seconds without a change after which it is blank; 0 for never.", valueName: "seconds"))
  var idleBlank: Int?
  @Option(help: ArgumentHelp("Seconds without a change after which it is off; 0 for never.", valueName: "seconds"))
  var idleOff: Int?
  @Option(
    help: ArgumentHelp(
      "single: the monitor's rate follows the frames of a VM that has it to itself, where it can. off: never.",
      valueName: "when"))
  var vrr: String?
  @Argument(help: ArgumentHelp("on, blank or off.", valueName: "power")) var power: String?
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard power != nil || idleBlank != nil || idleOff != nil || vrr != nil else {
      throw ValidationError("Say what to do: on, blank, off, --idle-blank, --idle-off or --vrr.")
    }
  }

  func run() throws {
    var lines = [try table(output)]
    if let power { lines.append("power = \(try quoted(power))") }
    if let idleBlank { lines.append("idle-blank = \(idleBlank)") }
    if let idleOff { lines.append("idle-off = \(idleOff)") }
    if let vrr { lines.append("vrr = \(try quoted(vrr))") }
    try change(lines.joined(separator: "\n"), daemon)
  }
}

/// `framepath vm`.
struct VMCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vm", abstract: "Says how a VM is treated.", subcommands: [Set.self])

  /// `framepath vm set`.
  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Changes a VM's share, promise or limits; also of one that is not connected.",
      discussion: """
        Examples:
          framepath vm set web --weight 200 --sla 30 --max-memory 256M
          framepath vm set db --outputs HDMI-A-1
        """)

    @Argument(help: ArgumentHelp("The VM.", valueName: "vm")) var vm: String
    @Option(help: ArgumentHelp("Its share against the others': 1 to 10000; 100 at first.", valueName: "n"))
    var weight: Int?
    @Option(help: ArgumentHelp("Frames per second that it is promised; 0 for none.", valueName: "hz")) var sla: Int?
    @Option(help: ArgumentHelp("The most frames per second that it gets; 0 for all.", valueName: "hz")) var cap: Int?
    @Option(
      help: ArgumentHelp("The most frames per second while nobody sees it; 0 for 2, the default.", valueName: "hz"))
    var unseenCap: Int?
    @Option(help: ArgumentHelp("Bytes of buffers that it may hold, such as 256M.", valueName: "size"))
    var maxMemory: String?
    @Option(
      help: ArgumentHelp(
        "Outputs of its scanouts, now and later; who is there makes room. \"\" leaves it to the VM.", valueName: "names"
      ))
    var outputs: String?
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
      guard weight != nil || sla != nil || cap != nil || unseenCap != nil || maxMemory != nil || outputs != nil else {
        throw ValidationError("Say what to set: --weight, --sla, --cap, --unseen-cap, --max-memory or --outputs.")
      }
    }

    func run() throws {
      var lines = ["[vm.\(try quoted(vm))]"]
      if let weight { lines.append("weight = \(weight)") }
      if let sla { lines.append("sla = \(sla)") }
      if let cap { lines.append("cap = \(cap)") }
      if let unseenCap { lines.append("unseen-cap = \(unseenCap)") }
      if let maxMemory { lines.append("max-memory = \(try quoted(maxMemory))") }
      if let outputs { lines.append("outputs = \(try quoted(outputs))") }
      try change(lines.joined(separator: "\n"), daemon)
    }
  }
}
