import LinuxIO
import Sandbox

/// The daemon's restrictions of itself, in the order of its start.
struct DaemonSandbox {
  private let policy: SandboxPolicy?
  private let log: ErrorLog

  /// - Parameters:
  ///   - sockets: the paths of the sockets, which are removed at the end.
  ///   - hasCards: whether cards are driven.
  ///   - hasSeat: whether the console and input devices are the daemon's.
  init(_ choice: SandboxSwitch, sockets: [String], hasCards: Bool, hasSeat: Bool, log: ErrorLog) {
    self.log = log
    policy =
      choice == .off
      ? nil
      : .daemon(
        directories: sockets.map { DaemonSandbox.directory(of: $0) }, hasCards: hasCards, hasSeat: hasSeat)
    if choice == .off { log.write("warning: --sandbox off: what clients say is parsed with all rights of this user") }
  }

  /// Gives up rights and files. Before the first thread, and after what needs root: limits, owners of sockets.
  func giveUpRights() throws(SandboxError) {
    guard let policy else { return }
    if let shortcoming = try Sandbox.giveUpRights(policy).shortcoming { log.write("warning: \(shortcoming)") }
  }

  /// Filters system calls. After everything is open, and before the first client is served.
  func filterCalls() throws(SandboxError) {
    guard let policy else { return }
    try Sandbox.filterCalls(policy, reportTo: 2, prefix: "framepathd: ended by its sandbox, which does not allow the")
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
