import DaemonSettings
import SettingsFile

/// The configuration file: it is read, or refused with words.
enum ConfigurationText {
  static func run(_ input: inout FuzzInput) {
    do throws(SettingsError) {
      _ = try SettingsFile.changes(String(decoding: input.rest(), as: UTF8.self))
    } catch {
      check(!"\(error)".isEmpty, "an error without words")
    }
  }
}
