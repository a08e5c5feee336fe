import LinuxIO

/// The daemon's socket.
public enum PresentSocket {
  /// `$FRAMEPATH_SOCKET`, else `$XDG_RUNTIME_DIR/framepath/framepathd.sock`, else `/run/framepath/framepathd.sock`.
  public static func defaultPath() -> String {
    if let path = environmentVariable("FRAMEPATH_SOCKET") { return path }
    if let directory = environmentVariable("XDG_RUNTIME_DIR") {
      return "\(directory)/framepath/framepathd.sock"
    }
    return "/run/framepath/framepathd.sock"
  }
}
