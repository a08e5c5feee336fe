public import LinuxIO

/// A connection that can no longer be used.
public enum PresentProtocolError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// The other end has closed.
  case closed
  /// The other end broke the protocol; the text describes the fault.
  case malformed(String)
  /// The other end has that protocol version.
  case otherVersion(UInt32)

  /// A message for the user.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .closed: "the other end closed the connection"
    case .malformed(let how): how
    case .otherVersion(let version):
      "the client has protocol version \(version), this framepathd has version \(PresentProtocolVersion.current)"
    }
  }
}
