import ArgumentParser
import DaemonSettings
import FrameScheduler
import HostProbe
import LinuxIO
import PresentClient

extension DaemonOptions {
  /// Sends the daemon a command.
  func perform(_ command: PresentCommand) throws {
    do throws(PresentClientError) {
      try PresentTool.perform(command, path: path)
    } catch {
      throw explained(error)
    }
  }

  /// Changes settings: either all of them or none.
  func change(_ changes: [SettingChange]) throws {
    if !changes.isEmpty { try perform(.settings(changes.flatMap(\.records))) }
  }
}

/// The output that a command applies to.
struct OutputOption: ParsableArguments {
  @Option(name: .customLong("output"), help: ArgumentHelp("Only this output. Default: all outputs.", valueName: "name"))
  var name: String?

  var target: SettingTarget { name.map { .output($0) } ?? .allOutputs }
}

/// The one argument of `framepath policy`.
struct PolicyArgument: ExpressibleByArgument {
  let policy: SchedulingPolicy

  init?(argument: String) {
    let name = SettingSpelling.hyphenated(argument)
    guard let policy = SchedulingPolicy.allCases.first(where: { $0.settingName == name }) else { return nil }
    self.policy = policy
  }

  static var allValueStrings: [String] { SchedulingPolicy.allCases.map(\.settingName) }
}

/// `framepath policy`.
struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Sets the scheduling policy used when not every frame fits before the next vblank.",
    discussion: """
      Changing the policy does not lose frames.

      Examples:
        framepath policy weighted-fair
        framepath policy --output HDMI-A-1 sla
      """)

  @OptionGroup var output: OutputOption
  @Argument(help: ArgumentHelp("The policy.", valueName: "policy")) var policy: PolicyArgument
  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    try daemon.change([SettingWords.change(output.target, "policy", policy.policy.settingName)])
  }
}

/// `framepath layout`.
struct LayoutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layout",
    abstract: "Sets how VMs share an output.",
    discussion: """
      single: one VM has the output. tile: a grid sized for the VMs, COLUMNSxROWS, or VM=X,Y,WIDTHxHEIGHT for each VM. \
      focus: one VM is shown, the others wait.

      Examples:
        framepath layout tile
        framepath layout --output HDMI-A-1 tile 4x4
        framepath layout tile web=0,0,960x1080 db=960,0,960x1080
        framepath layout focus
      """)

  @OptionGroup var output: OutputOption
  @Argument(help: ArgumentHelp("The layout.", valueName: "layout")) var layout: [String]
  @OptionGroup var daemon: DaemonOptions

  func validate() throws { _ = try change() }

  func run() throws { try daemon.change([change()]) }

  private func change() throws -> SettingChange {
    try SettingWords.change(output.target, "layout", layout.joined(separator: " "))
  }
}

/// `framepath focus`.
struct FocusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "focus", abstract: "Shows a VM on an output with layout focus.",
    discussion: """
      Example:
        framepath focus web
      """)

  @Argument(help: ArgumentHelp("The VM.", valueName: "vm")) var vm: String
  @OptionGroup var daemon: DaemonOptions

  func run() throws { try daemon.perform(.focus(vm: vm)) }
}

/// `framepath exclusive`.
struct ExclusiveCommand: ParsableCommand {
  private static let options = SettingsTable.settings(changedBy: .exclusive)

  static let configuration = CommandConfiguration(
    commandName: "exclusive",
    abstract: "Limits how long a VM may hold an output alone, or revokes its grant.",
    usage: "framepath exclusive [--output <name>] [--revoke] \(SettingHelp.usage(options)) [--socket <path>]",
    discussion: """
      Applies to outputs with layout focus or policy exclusive. A VM that loses the output goes to the end of the \
      queue. Use framepath focus to choose the VM.

      Examples:
        framepath exclusive --max-hold 60 --watchdog 5
        framepath exclusive --output HDMI-A-1 --revoke

      \(SettingHelp.text(options))
      """)

  @OptionGroup var output: OutputOption
  @Flag(help: "Take the output from the VM that holds it.") var revoke = false
  @OptionGroup var daemon: DaemonOptions
  @Argument(parsing: .allUnrecognized, help: .hidden) var words: [String] = []

  func validate() throws {
    let settings = try changes()
    guard !settings.isEmpty || revoke else {
      throw ValidationError(
        "Give one of \(Self.options.map { "--\($0.name)" }.joined(separator: ", ")) or --revoke.")
    }
    guard !revoke || output.name != nil else { throw ValidationError("--revoke needs --output.") }
  }

  func run() throws {
    if revoke, let name = output.name { try daemon.perform(.revoke(output: name, ofLease: false)) }
    try daemon.change(changes())
  }

  private func changes() throws -> [SettingChange] {
    let read = try SettingWords(words, options: Self.options)
    if let word = read.others.first { throw ValidationError("Unexpected argument \(word).") }
    return try read.changes(of: output.target)
  }
}

/// `framepath power`.
struct PowerCommand: ParsableCommand {
  private static let options = SettingsTable.settings(changedBy: .power).filter { $0.name != "power" }

  static let configuration = CommandConfiguration(
    commandName: "power",
    abstract: "Turns outputs on, blank or off, and sets idle timeouts.",
    usage: "framepath power [--output <name>] [on|blank|off] \(SettingHelp.usage(options)) [--socket <path>]",
    discussion: """
      blank: a black picture, the monitor stays on. off: the monitor sleeps. Both last until the next command. VMs are \
      not notified, and are paced like VMs that are not visible. An output blanked or turned off by an idle timeout \
      turns on at the next frame or cursor movement of a VM that it shows.

      Examples:
        framepath power off
        framepath power --output HDMI-A-1 on
        framepath power --idle-blank 600 --idle-off 900
        framepath power --output DP-1 --vrr single

      \(SettingHelp.text(options))
      """)

  @OptionGroup var output: OutputOption
  @OptionGroup var daemon: DaemonOptions
  @Argument(parsing: .allUnrecognized, help: .hidden) var words: [String] = []

  func validate() throws {
    guard try !changes().isEmpty else {
      throw ValidationError(
        "Give on, blank, off, or one of \(Self.options.map { "--\($0.name)" }.joined(separator: ", ")).")
    }
  }

  func run() throws { try daemon.change(changes()) }

  private func changes() throws -> [SettingChange] {
    let read = try SettingWords(words, options: Self.options)
    guard read.others.count < 2 else { throw ValidationError("Unexpected argument \(read.others[1]).") }
    return try read.others.map { try SettingWords.change(output.target, "power", $0) } + read.changes(of: output.target)
  }
}

/// `framepath memory`.
struct MemoryCommand: SingleSettingsCommand {
  static let options = SettingsTable.settings(changedBy: .memory)
  static let target = SettingTarget.memory

  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "Sets how VMs share memory for buffers.",
    usage: "framepath memory \(SettingHelp.usage(options)) [--socket <path>]",
    discussion: """
      Example: framepath memory --capacity 6G --max-per-vm 256M

      \(SettingHelp.text(options))
      """)

  @OptionGroup var daemon: DaemonOptions
  @Argument(parsing: .allUnrecognized, help: .hidden) var words: [String] = []
}

/// A command for settings of what exists once; all its words are settings.
protocol SingleSettingsCommand: ParsableCommand {
  /// Its settings.
  static var options: [SettingDescription] { get }
  /// What they apply to.
  static var target: SettingTarget { get }
  var daemon: DaemonOptions { get }
  var words: [String] { get }
}

extension SingleSettingsCommand {
  func validate() throws {
    guard try !changes().isEmpty else {
      throw ValidationError("Give at least one of \(Self.options.map { "--\($0.name)" }.joined(separator: ", ")).")
    }
  }

  func run() throws { try daemon.change(changes()) }

  private func changes() throws -> [SettingChange] {
    let read = try SettingWords(words, options: Self.options)
    if let word = read.others.first { throw ValidationError("Unexpected argument \(word).") }
    return try read.changes(of: Self.target)
  }
}

/// `framepath vm`.
struct VMCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vm", abstract: "Changes a VM's settings.", subcommands: [Set.self])

  /// `framepath vm set`.
  struct Set: ParsableCommand {
    private static let options = SettingsTable.settings(changedBy: .vm)

    static let configuration = CommandConfiguration(
      abstract: "Changes a VM's share, promise or limits; the VM need not be connected.",
      usage: "framepath vm set <vm> \(SettingHelp.usage(options)) [--socket <path>]",
      discussion: """
        Examples:
          framepath vm set web --weight 200 --sla 30 --max-memory 256M
          framepath vm set db --outputs HDMI-A-1

        \(SettingHelp.text(options))
        """)

    @OptionGroup var daemon: DaemonOptions
    @Argument(parsing: .allUnrecognized, help: .hidden) var words: [String] = []

    func validate() throws { _ = try changes() }

    func run() throws { try daemon.change(changes()) }

    private func changes() throws -> [SettingChange] {
      let read = try SettingWords(words, options: Self.options)
      guard let vm = read.others.first else { throw ValidationError("Missing the VM's name.") }
      guard read.others.count == 1 else { throw ValidationError("Unexpected argument \(read.others[1]).") }
      guard !read.values.isEmpty else {
        throw ValidationError("Give at least one of \(Self.options.map { "--\($0.name)" }.joined(separator: ", ")).")
      }
      return try read.changes(of: .vm(vm))
    }
  }
}

/// `framepath settings`.
struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Lists every setting with its values, default and meaning.",
    discussion: "They are the keys of framepathd's configuration file, and options of the commands that change them.")

  @Flag(help: "Print the tables of Docs/Settings.md.") var markdown = false

  func run() throws {
    let lines = markdown ? SettingsTable.markdown : SettingsCommand.lines
    try LinuxFile.writeToStandardOutput(Array((lines.joined(separator: "\n") + "\n").utf8))
  }

  private static var lines: [String] {
    var lines: [String] = []
    for scope in SettingScope.allCases {
      if !lines.isEmpty { lines.append("") }
      lines.append(scope.tables)
      for setting in SettingsTable.settings(of: scope) {
        lines.append("  \(setting.name): \(setting.help)")
        lines.append("    \(SettingHelp.values(setting))")
      }
    }
    return lines
  }
}
