import ArgumentParser
import DaemonSettings
import LinuxIO
import PresentProtocol
import PresentServer

/// The options for the daemon's sockets. They take precedence over the file's table [sockets].
struct SocketOptions: ParsableArguments {
  @Option(help: SocketOptions.help("socket", "path")) var socket: String?
  @Option(help: SocketOptions.help("socket-mode", "mode")) var socketMode: String?
  @Option(help: SocketOptions.help("socket-group", "group")) var socketGroup: String?
  @Option(help: SocketOptions.help("control-socket", "path")) var controlSocket: String?
  @Option(help: SocketOptions.help("control-mode", "mode")) var controlMode: String?
  @Option(help: SocketOptions.help("control-group", "group")) var controlGroup: String?

  func validate() throws {
    do { _ = try changes() } catch { throw ValidationError("\(error)") }
  }

  /// The given options.
  func changes() throws(SettingsError) -> [SettingChange] {
    let given = [
      ("socket", socket), ("socket-mode", socketMode), ("socket-group", socketGroup),
      ("control-socket", controlSocket), ("control-mode", controlMode), ("control-group", controlGroup),
    ]
    var changes: [SettingChange] = []
    for case (let name, let text?) in given { changes.append(try SettingChange(.sockets, name, .text(text))) }
    return changes
  }

  private static func help(_ name: String, _ value: String) -> ArgumentHelp {
    let setting = SettingsTable.setting(name, .sockets)
    return ArgumentHelp(setting?.help ?? "", valueName: value)
  }
}

/// The paths of the daemon's sockets and who may connect to them: the options, and the file where there is none.
struct DaemonSockets {
  private let options: [SettingChange]
  private(set) var settings = SocketSettings()

  /// - Parameter file: all settings of the file.
  init(_ options: SocketOptions, file: [SettingChange]) throws(SettingsError) {
    self.options = try options.changes()
    settings = wanted(file)
  }

  /// The path of the frames socket.
  var path: String { settings.path ?? PresentSocket.defaultPath() }

  /// The path of the control socket.
  var controlPath: String {
    if let path = settings.controlPath { return path }
    // The environment's is for the environment's other socket.
    return settings.path.map { PresentSocket.controlPath(beside: $0) } ?? PresentSocket.defaultControlPath()
  }

  /// Who may show frames.
  var access: SocketAccess { SocketAccess(mode: settings.mode, groupID: settings.groupID) }

  /// Who may see and control everything.
  var controlAccess: SocketAccess { SocketAccess(mode: settings.controlMode, groupID: settings.controlGroupID) }

  /// Takes a changed file.
  ///
  /// - Returns: a line for the log if paths differ, which hold until the daemon ends; else nil.
  mutating func reload(_ file: [SettingChange]) -> String? {
    let before = self
    settings = wanted(file)
    let isMoved = path != before.path || controlPath != before.controlPath
    (settings.path, settings.controlPath) = (before.settings.path, before.settings.controlPath)
    return isMoved ? "[sockets]: other paths take effect when framepathd is started again" : nil
  }

  /// The changes of the file that are not about sockets.
  static func others(_ file: [SettingChange]) -> [SettingChange] { file.filter { $0.target != .sockets } }

  private func wanted(_ file: [SettingChange]) -> SocketSettings {
    var settings = SocketSettings()
    // A change is checked when it is read.
    for change in file + options where change.target == .sockets { _ = settings.set(change.number, to: change.value) }
    return settings
  }
}
