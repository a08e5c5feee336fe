import Outputs
import PresentProtocol

extension ClientSession {
  /// Answers LEASE, at once or when the output is free.
  func requestLease(of name: String, _ request: UInt64) {
    guard let presenter = server.presenters.first(where: { $0.name == name }) else {
      let names = server.presenters.map(\.name).joined(separator: ", ")
      return refuse(.refused, 0, "there is no output \(name); there are: \(names)", request)
    }
    if presenter.leasing.lessees.contains(where: { $0.holder === self }) {
      return refuse(.refused, 0, "this client has \(name) as a lease already, or waits for it", request)
    }
    if let why = presenter.objection(toLeaseBy: self) { return refuse(.refused, 0, why, request) }
    do throws(OutputError) {
      try presenter.requestLease(self, request)
    } catch {
      refuse(.refused, 0, error.description, request)
    }
  }
}

extension ClientSession: LeaseHolder {
  func leaseGranted(_ lease: OutputLease, request: UInt64) {
    send(
      .leased(
        Leased(
          lesseeID: lease.lesseeID, connectorID: lease.connectorID, crtcID: lease.crtcID, planeID: lease.planeID),
        request: request), fd: lease.descriptor)
  }

  func leaseEnded(_ why: String, request: UInt64) { send(.leaseEnded(why: why, request: request)) }

  func leaseRefused(_ why: String, request: UInt64) { refuse(.refused, 0, why, request) }
}
