import DaemonSettings
public import LinuxIO

/// Limits of a server's clients, and its clock.
public struct ServerOptions {
  /// Limit for host buffers of one client, bytes.
  public var memoryLimitBytes = 512 << 20
  /// Limit for buffers of one client, including imported ones.
  public var bufferLimit = 256
  /// Limit for the bytes of a snapshot: 8192x8192 pixels.
  public var snapshotByteLimit = 256 << 20
  /// Limit for connections to the frames socket.
  public var connectionLimit = 512
  /// Limit for connections to the control socket.
  public var controlConnectionLimit = 32
  /// Places beyond that for the daemon's user, and as many more for root.
  public var reservedControlConnections = 16
  /// Limit for connections of one process.
  public var processConnectionLimit = 256
  /// Limit for connections of one user other than root and the daemon's.
  public var userConnectionLimit = 384
  /// Limit for scanouts of one user: those without an output are parked, each on an off-screen output of its own.
  public var userScanoutLimit = 1024
  /// The time in which a client must send HELLO.
  public var helloNanoseconds: UInt64 = 2_000_000_000
  /// Limit for messages queued for a client that does not read; beyond it the client is dropped.
  public var waitingMessageLimit = 1024
  /// Limit for messages with descriptors that a client has not read; further ones wait, and nothing is read from it.
  public var waitingDescriptorLimit = 16
  /// Limit for descriptors of one client: those that it sent, and those that the daemon opened for it.
  public var descriptorLimit = 1024
  /// Limit for descriptors of all clients; nil: what the process may open without `ownDescriptors`.
  public var descriptorBudget: Int?
  /// Descriptors that a client may have even if there is a shortage.
  static let freeDescriptors = 32
  /// Descriptors for the daemon itself: outputs, files that it opens for a moment, a message's before they are counted.
  static let ownDescriptors = 640
  /// Limit for descriptors of one client that are being closed, of kinds whose `close` may wait for others; beyond it the
  /// client is ended.
  public var closingLimit = 16
  /// The same for all clients of one user; at the limit no further client of the user is accepted.
  public var userClosingLimit = 64
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
