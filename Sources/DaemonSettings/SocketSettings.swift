/// The daemon's two sockets. The paths hold from its start; modes and groups can be changed by its file.
public struct SocketSettings: Equatable, Sendable {
  /// The frames socket; nil: `PresentSocket.defaultPath`.
  public var path: String?
  /// The permissions of the frames socket.
  public var mode: UInt32 = 0o600
  /// The group of the frames socket; nil: the daemon's.
  public var groupID: UInt32?
  /// The control socket; nil: beside the frames socket.
  public var controlPath: String?
  /// The permissions of the control socket.
  public var controlMode: UInt32 = 0o600
  /// The group of the control socket; nil: the daemon's.
  public var controlGroupID: UInt32?

  /// The defaults.
  public init() {}

  /// One row for each setting.
  public static let table: [Setting<SocketSettings>] = [
    Setting(
      301, "socket", \.path, .path(none: "default"), .daemon,
      """
      The socket for clients that show frames. Default: $FRAMEPATH_SOCKET, else framepath/framepathd.sock in \
      $XDG_RUNTIME_DIR or /run.
      """),
    Setting(
      302, "socket-mode", \.mode, .mode, .daemon,
      "The permissions of that socket; who may write may show frames and learns about its own VM only."),
    Setting(303, "socket-group", \.groupID, .group(none: "default"), .daemon, "The group of that socket."),
    Setting(
      304, "control-socket", \.controlPath, .path(none: "default"), .daemon,
      """
      The socket for tools that see and control everything. Default: $FRAMEPATH_CONTROL_SOCKET, else beside the other: \
      framepathd-control.sock for framepathd.sock.
      """),
    Setting(
      305, "control-mode", \.controlMode, .mode, .daemon,
      "The permissions of the control socket; who may write sees all pictures and changes all settings."),
    Setting(
      306, "control-group", \.controlGroupID, .group(none: "default"), .daemon, "The group of the control socket."),
  ]
}

extension SocketSettings: SettingGroup {
  /// The sockets.
  public static var scope: SettingScope { .sockets }
  /// The defaults.
  public static var defaults: SocketSettings { SocketSettings() }
}
