public import DaemonSettings
public import LinuxIO

/// How a server begins: its settings until they are changed, and its clock.
public struct ServerOptions {
  /// Limit for host buffers of one client, bytes.
  public var memoryLimitBytes = 512 << 20
  /// What clients may take.
  public var limits = ClientLimits()
  /// How long `close` of a client's descriptor may wait if a signal can end the wait.
  public var closePatienceMilliseconds: Int32 = 100
  /// The clock of deadlines and settings in seconds.
  public var clock = PresentClock()

  /// The default limits, and CLOCK_MONOTONIC.
  public init() {}
}

/// Why a server cannot listen.
public enum ServerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// Another daemon serves the socket.
  case socketTaken(path: String, pid: Int32?)
  /// The path exists and is not a socket.
  case notASocket(path: String)

  /// A message for the user.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .socketTaken(let path, let pid):
      "another framepathd\(pid.map { " (process \($0))" } ?? "") serves \(path); stop it or choose another path"
    case .notASocket(let path): "\(path) exists and is not a socket; remove it or choose another path"
    }
  }
}
