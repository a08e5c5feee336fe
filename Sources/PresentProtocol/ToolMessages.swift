import CFramepathABI

/// In which ways the daemon's state can change, as SUBSCRIBE and CHANGED name them.
public struct ChangeKinds: OptionSet, Hashable, Sendable {
  /// Bits of `enum framepath_change_kind`.
  public let rawValue: UInt32

  /// A set of kinds from its bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// An output was added, plugged, unplugged or leased, or has another mode or power state.
  public static let outputs = ChangeKinds(rawValue: 1)
  /// A client connected or left, or a scanout has another output or path.
  public static let vms = ChangeKinds(rawValue: 2)
  /// Another VM is shown alone on an output.
  public static let focus = ChangeKinds(rawValue: 4)
  /// Settings were changed.
  public static let settings = ChangeKinds(rawValue: 8)

  /// Every kind.
  public static let all: ChangeKinds = [.outputs, .vms, .focus, .settings]
}

/// The subject of a SNAPSHOT.
public enum SnapshotSubject: Equatable, Sendable {
  /// A VM's scanout, with its cursor.
  case vm(name: String, scanout: UInt32)
  /// An output.
  case output(name: String)
}

extension framepath_snapshot {
  init(_ subject: SnapshotSubject, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_SNAPSHOT, framepath_snapshot.self, request: request)
    switch subject {
    case .vm(let vm, let index):
      scanout = index
      storeText(vm, in: &name)
    case .output(let output):
      of_output = 1
      storeText(output, in: &name)
    }
  }
}

extension SnapshotSubject {
  init(_ wire: framepath_snapshot) throws(PresentProtocolError) {
    let name = try loadText(wire.name, "SNAPSHOT's name")
    self = wire.of_output == 0 ? .vm(name: name, scanout: wire.scanout) : .output(name: name)
  }
}

extension framepath_focus {
  init(_ name: String, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_FOCUS, framepath_focus.self, request: request)
    storeText(name, in: &vm)
  }
}

extension framepath_revoke {
  init(_ name: String, _ ofLease: Bool, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_REVOKE, framepath_revoke.self, request: request)
    of_lease = ofLease ? 1 : 0
    storeText(name, in: &output)
  }
}

extension framepath_lease {
  init(_ name: String, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_LEASE, framepath_lease.self, request: request)
    storeText(name, in: &output)
  }
}
