import ArgumentParser
import HostProbe
import PresentClient
import PresentProtocol
import StatusModel

/// How a command reaches the daemon.
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

  /// What the daemon answers; an error says what to do about it.
  func answer<Answer>(_ ask: (String) throws(PresentClientError) -> Answer) throws -> Answer {
    do throws(PresentClientError) {
      return try ask(path)
    } catch {
      throw explained(error)
    }
  }

  /// The status that the daemon has sent as JSON.
  func decoded(_ json: [UInt8]) throws -> DaemonStatus {
    do throws(ReportError) { return try DaemonStatus(json: json) } catch {
      throw explained(.failed(error.description))
    }
  }

  /// The error with what to do about it.
  func explained(_ error: PresentClientError) -> HostProbeError {
    switch error {
    case .notConnected(let why):
      let start = givenPath.map { "framepathd --output auto --socket \($0)" } ?? "framepathd --output auto"
      return HostProbeError("\(why.contains(path) ? why : "\(why) (socket \(path))"). Start it: \(start)")
    case .timedOut, .refused, .failed: return HostProbeError(error.description)
    }
  }
}
