import ArgumentParser
import DaemonSettings

/// `framepath limits`.
struct LimitsCommand: ParsableCommand {
  private static let options = SettingsTable.settings(changedBy: .limits)

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

  func validate() throws {
    guard try !changes().isEmpty else {
      throw ValidationError("Give at least one of \(Self.options.map { "--\($0.name)" }.joined(separator: ", ")).")
    }
  }

  func run() throws { try daemon.change(changes()) }

  private func changes() throws -> [SettingChange] {
    let read = try SettingWords(words, options: Self.options)
    if let word = read.others.first { throw ValidationError("Unexpected argument \(word).") }
    return try read.changes(of: .clients)
  }
}
