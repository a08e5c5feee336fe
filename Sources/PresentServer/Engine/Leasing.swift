import DaemonSettings
import FrameScheduler
import Outputs
import PresentProtocol

/// A client that leases an output or waits for it. The scheduler treats it as a VM without frames.
final class Lessee {
  let id: VMID
  unowned let holder: any LeaseHolder
  /// The request number of its LEASE message.
  let request: RequestID
  /// Its lease; nil while it waits.
  fileprivate(set) var lease: Lease?

  struct Lease {
    /// The kernel's ID of the lessee.
    let lesseeID: UInt32
    /// The server's time when the lease was granted.
    let sinceNanoseconds: UInt64
  }

  init(id: VMID, holder: any LeaseHolder, request: RequestID) {
    self.id = id
    self.holder = holder
    self.request = request
  }
}

/// An output's lease: its lessee and the clients that wait for it.
struct Leasing {
  /// All lessees, including waiting ones, in request order.
  private(set) var lessees: [Lessee] = []
  /// The clients that may lease the output.
  var policy = LeasePolicy.own
  /// The lessee that has the lease.
  private(set) var current: Lessee?
  /// Whether the output was cleared for a lessee and must be restored.
  var isCleared = false
  /// Why the lease is being revoked; nil if its longest hold has expired.
  var reason: String?

  /// The lessee with an ID of the scheduler.
  func lessee(_ id: VMID) -> Lessee? { lessees.first { $0.id == id } }

  /// A lessee of a client.
  func lessee(of holder: any LeaseHolder) -> Lessee? { lessees.first { $0.holder === holder } }

  /// Appends a lessee to the queue.
  mutating func add(_ lessee: Lessee) { lessees.append(lessee) }

  /// Records that a lessee has the lease.
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
