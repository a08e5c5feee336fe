import LinuxIO

/// The daemon's two sockets: one for clients that show frames, and one for tools that see and control all of them.
public enum PresentSocket {
  /// The frames socket: `$FRAMEPATH_SOCKET`, else `$XDG_RUNTIME_DIR/framepath/framepathd.sock`, else
  /// `/run/framepath/framepathd.sock`.
  public static func defaultPath() -> String {
    if let path = environmentVariable("FRAMEPATH_SOCKET") { return path }
    if let directory = environmentVariable("XDG_RUNTIME_DIR") {
      return "\(directory)/framepath/framepathd.sock"
    }
    return "/run/framepath/framepathd.sock"
  }

  /// The control socket: `$FRAMEPATH_CONTROL_SOCKET`, else the one beside `defaultPath`.
  public static func defaultControlPath() -> String {
    environmentVariable("FRAMEPATH_CONTROL_SOCKET") ?? controlPath(beside: defaultPath())
  }

  /// The default path of the control socket of a daemon with this frames socket: `framepathd-control.sock` for
  /// `framepathd.sock`.
  public static func controlPath(beside path: String) -> String {
    let suffix = ".sock"
    return path.hasSuffix(suffix) ? "\(path.dropLast(suffix.count))-control\(suffix)" : "\(path)-control"
  }
}
