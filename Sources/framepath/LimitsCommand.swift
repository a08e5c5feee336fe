import ArgumentParser
import DaemonSettings

/// `framepath limits`.
struct LimitsCommand: SingleSettingsCommand {
  static let options = SettingsTable.settings(changedBy: .limits)
  static let target = SettingTarget.clients

  static let configuration = CommandConfiguration(
    commandName: "limits",
    abstract: "Sets what clients may take from what all share.",
    usage: "framepath limits \(SettingHelp.usage(options)) [--socket <path>]",
    discussion: """
      A lower limit holds for what is requested from then on; nothing is taken away.

      Example: framepath limits --connections-per-user 16 --scanouts-per-user 32

      \(SettingHelp.text(options))
      """)

  @OptionGroup var daemon: DaemonOptions
  @Argument(parsing: .allUnrecognized, help: .hidden) var words: [String] = []
}
