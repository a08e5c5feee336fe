public import LinuxIO

/// Why a connection is of no further use.
public enum PresentProtocolError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// The other end has closed.
  case closed
  /// The other end broke the protocol; the text says how.
  case malformed(String)
  /// The other end speaks that version.
  case otherVersion(UInt32)

  /// The error for a person.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .closed: "the other end has closed the connection"
    case .malformed(let how): how
    case .otherVersion(let version):
      "the client speaks protocol version \(version), this framepathd speaks version \(PresentProtocolVersion.current)"
    }
  }
}
