import DaemonSettings
import PresentServer
import SettingsFile

extension Server {
  /// Puts the settings of a configuration file's text in force, all or none.
  func apply(_ text: String) throws(SettingsError) { try change(SettingsFile.changes(text)) }
}
