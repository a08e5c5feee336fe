import DaemonSettings
public import LinuxIO

/// What a server allows its clients, and the clock that it goes by.
public struct ServerOptions {
  /// Bytes of host buffers that one client may hold.
  public var memoryLimitBytes = 512 << 20
  /// Buffers that one client may hold, its own memory included.
  public var bufferLimit = 256
  /// Connections at once.
  public var connectionLimit = 512
  /// Messages that are kept for a client which does not read; then it is dropped.
  public var waitingMessageLimit = 1024
  /// The clock of deadlines and settings in seconds.
  public var clock = PresentClock()

  /// The limits of a daemon without other settings, and CLOCK_MONOTONIC.
  public init() {}
}

/// Why a server cannot listen.
public enum ServerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// Another daemon serves the socket.
  case socketTaken(path: String, pid: Int32?)
  /// Something that is no socket stands at the path.
  case notASocket(path: String)

  /// The error for a person.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .socketTaken(let path, let pid):
      "another framepathd\(pid.map { " (process \($0))" } ?? "") serves \(path); stop it or choose another --socket"
    case .notASocket(let path): "\(path) exists and is no socket; remove it or choose another --socket"
    }
  }
}
