import ArgumentParser
import HostProbe
import PresentClient
import PresentProtocol
import StatusModel

/// The options for connecting to the daemon.
struct DaemonOptions: ParsableArguments {
  @Option(
    name: .customLong("socket"),
    help: ArgumentHelp(
      "The daemon's socket.",
      discussion: """
        Default: $FRAMEPATH_SOCKET, else $XDG_RUNTIME_DIR/framepath/framepathd.sock, else \
        /run/framepath/framepathd.sock.
        """, valueName: "path"))
  var givenPath: String?

  /// The socket to use.
  var path: String { givenPath ?? PresentSocket.defaultPath() }

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
    case .notConnected(let why):
      let start = givenPath.map { "framepathd --output auto --socket \($0)" } ?? "framepathd --output auto"
      return HostProbeError("\(why.contains(path) ? why : "\(why) (socket \(path))"). Start it: \(start)")
    case .timedOut, .refused, .failed: return HostProbeError(error.description)
    }
  }
}
