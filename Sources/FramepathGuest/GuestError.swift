public import HybridRegion
public import Ivshmem
public import LinuxIO
public import PresentProtocol

/// Why a guest cannot draw or present.
public enum GuestError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no ivshmem device; the text names the searched place.
  case noDevice(String)
  /// Another client on this machine uses the region.
  case busy(String)
  /// The memory is not a region that this program can use.
  case region(RegionError)
  /// The host refused the attach.
  case refused(RegionReason)
  /// The host did not answer in time: it is not running, or hangs.
  case hostSilent
  /// No slot became free in time.
  case timedOut
  /// Another client has attached to the region.
  case displaced
  /// The host wrote invalid data into the region, or has ended.
  case hostFailed
  /// The slot was not acquired, or the picture does not fit into it.
  case badFrame
  /// The ivshmem server did not send the memory.
  case server(IvshmemError)
  /// The daemon refuses this client or its region.
  case daemonRefuses(ErrorMessage)
  /// The daemon has closed the connection, or broken the protocol.
  case daemon(String)
  /// A system call failed.
  case system(SystemError)

  /// A message for the user.
  public var description: String {
    switch self {
    case .noDevice(let what): "no region: \(what)"
    case .busy(let path): "another client on this machine uses the region \(path)"
    case .region(let error): error.description
    case .refused(let reason): "the host refused the client: \(reason)"
    case .hostSilent: "the host does not answer: is framepath-ivshmem running for this machine?"
    case .timedOut: "no frame slot became free in time"
    case .displaced: "another client has taken the region"
    case .hostFailed: "the host's side of the region has ended or is invalid"
    case .badFrame: "the picture does not fit the slot, or the slot was not acquired"
    case .server(let error): error.description
    case .daemonRefuses(let message): "framepathd: \(message.text)"
    case .daemon(let why): "framepathd: \(why)"
    case .system(let error): error.description
    }
  }

  init(_ error: RegionPresentError) {
    switch error {
    case .badFrame: self = .badFrame
    case .displaced: self = .displaced
    case .hostFailed: self = .hostFailed
    }
  }
}
