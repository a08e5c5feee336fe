/// The types of a client's messages, by their numbers in the protocol.
public enum ClientMessageType: UInt32, CaseIterable, Sendable {
  case hello = 1
  case createBuffer = 2
  case importBuffer = 3
  case destroyBuffer = 4
  case present = 5
  case disable = 6
  case cursor = 7
  case path = 8
  case status = 9
  case snapshot = 10
  case settings = 11
  case trace = 12
  case region = 13
  case lease = 14
  case syncPoints = 15
  case subscribe = 16
  case focus = 17
  case revoke = 18
  case device = 19

  /// The name in Docs/Protocol.md: `CREATE_BUFFER`.
  public var name: String {
    "\(self)".reduce(into: "") { $0 += $1.isUppercase ? "_\($1)" : $1.uppercased() }
  }
}

extension ClientMessage {
  /// Its type.
  public var type: ClientMessageType {
    switch self {
    case .hello: .hello
    case .createBuffer: .createBuffer
    case .importBuffer: .importBuffer
    case .destroyBuffer: .destroyBuffer
    case .present: .present
    case .disable: .disable
    case .cursor: .cursor
    case .path: .path
    case .status: .status
    case .snapshot: .snapshot
    case .settings: .settings
    case .trace: .trace
    case .region: .region
    case .lease: .lease
    case .syncPoints: .syncPoints
    case .subscribe: .subscribe
    case .focus: .focus
    case .revoke: .revoke
    case .device: .device
    }
  }

  /// The number that an answer repeats; 0 if it has none.
  public var request: UInt64 {
    switch self {
    case .hello, .destroyBuffer, .present, .disable, .cursor, .path, .region, .device: 0
    case .createBuffer(_, let request), .importBuffer(_, let request), .status(let request), .snapshot(_, let request),
      .settings(_, let request), .trace(let request), .lease(_, let request), .syncPoints(_, let request),
      .subscribe(_, let request), .focus(_, let request), .revoke(_, _, let request):
      request
    }
  }
}
