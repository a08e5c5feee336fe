import ArgumentParser
import HostProbe
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel

/// The options for connecting to the daemon.
struct DaemonOptions: ParsableArguments {
  @Option(
    name: .customLong("socket"),
    help: ArgumentHelp(
      "The daemon's frames socket, which names the daemon.",
      discussion: """
        Default: $FRAMEPATH_SOCKET, else $XDG_RUNTIME_DIR/framepath/framepathd.sock, else \
        /run/framepath/framepathd.sock.
        """, valueName: "path"))
  var givenPath: String?

  @Option(
    name: .customLong("control-socket"),
    help: ArgumentHelp(
      "The daemon's control socket.",
      discussion: """
        Default: the one beside --socket; without that $FRAMEPATH_CONTROL_SOCKET, else beside the default of --socket: \
        framepathd-control.sock for framepathd.sock.
        """, valueName: "path"))
  var givenControlPath: String?

  /// The frames socket.
  var framesPath: String { givenPath ?? PresentSocket.defaultPath() }

  /// The control socket.
  var path: String {
    givenControlPath ?? givenPath.map { PresentSocket.controlPath(beside: $0) } ?? PresentSocket.defaultControlPath()
  }

  /// The daemon's answer; errors include a remedy.
  func answer<Answer>(_ ask: (String) throws(PresentClientError) -> Answer) throws -> Answer {
    do throws(PresentClientError) {
      return try ask(path)
    } catch {
      throw explained(error)
    }
  }

  /// Decodes the daemon's JSON status.
  func decoded(_ json: [UInt8]) throws -> DaemonStatus {
    do throws(ReportError) { return try DaemonStatus(json: json) } catch {
      throw explained(.failed(error.description))
    }
  }

  /// The error with a remedy.
  func explained(_ error: PresentClientError) -> HostProbeError {
    switch error {
    case .notConnected where LinuxFile.status(path) != nil && !LinuxFile.isAccessible(path, [.read, .write]):
      return HostProbeError(
        "You may not use \(path), the control socket of framepathd. Run this as its user or root, or set control-group and "
          + "control-mode of [sockets] in its configuration.")
    case .notConnected(let why):
      let start = givenPath.map { "framepathd --output auto --socket \($0)" } ?? "framepathd --output auto"
      return HostProbeError("\(why.contains(path) ? why : "\(why) (socket \(path))"). Start it: \(start)")
    case .timedOut, .refused, .failed: return HostProbeError(error.description)
    }
  }
}
