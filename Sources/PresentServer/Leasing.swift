import DaemonSettings
import FrameScheduler
import Outputs
import PresentProtocol

/// A client that has an output as a DRM lease, or waits for it. To the scheduler it is a VM without frames.
final class Lessee {
  let id: VMID
  unowned let holder: any LeaseHolder
  /// The request number of its LEASE message.
  let request: RequestID
  /// The lease that it has; nil while it waits.
  fileprivate(set) var lease: Lease?

  struct Lease {
    /// The kernel's number of the lessee.
    let lesseeID: UInt32
    /// The server's time when it got the lease.
    let sinceNanoseconds: UInt64
  }

  init(id: VMID, holder: any LeaseHolder, request: RequestID) {
    self.id = id
    self.holder = holder
    self.request = request
  }
}

/// The lease of an output: its lessee, and the clients that wait for it.
struct Leasing {
  /// All of them, in the order of their requests.
  private(set) var lessees: [Lessee] = []
  /// The clients that may lease the output.
  var policy = LeasePolicy.own
  /// The one that has the lease.
  private(set) var current: Lessee?
  /// Whether the output was cleared for a lessee, and must be put back.
  var isCleared = false
  /// The reason why the lease is being taken back; nil if its longest hold is over.
  var reason: String?

  /// The lessee that is that VM to the scheduler.
  func lessee(_ id: VMID) -> Lessee? { lessees.first { $0.id == id } }

  /// A lessee of that connection.
  func lessee(of holder: any LeaseHolder) -> Lessee? { lessees.first { $0.holder === holder } }

  /// Puts a client behind those that asked before it.
  mutating func add(_ lessee: Lessee) { lessees.append(lessee) }

  /// Notes that a lessee has got the lease.
  mutating func begin(_ lease: OutputLease, of lessee: Lessee, atNanoseconds now: UInt64) {
    current = lessee
    reason = nil
    lessee.lease = Lessee.Lease(lesseeID: lease.lesseeID, sinceNanoseconds: now)
  }

  /// Removes a lessee.
  ///
  /// - Returns: whether it had the lease.
  mutating func remove(_ lessee: Lessee) -> Bool {
    lessees.removeAll { $0 === lessee }
    reason = nil
    guard lessee === current else { return false }
    current = nil
    return true
  }
}
