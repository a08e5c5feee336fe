import DaemonSettings
import Outputs
import PresentProtocol

extension ClientSession {
  /// Handles LEASE; the reply is sent at once or when the output is free.
  func requestLease(of name: String, _ request: RequestID) {
    guard let presenter = server.presenters.first(where: { $0.name == name }) else {
      let names = server.presenters.map(\.name).joined(separator: ", ")
      return refuse(.refused, "there is no output \(name); there are: \(names)", request)
    }
    if presenter.leasing.lessees.contains(where: { $0.holder === self }) {
      return refuse(.refused, "this client already leases \(name) or waits for it", request)
    }
    if let why = presenter.objection(toLeaseBy: self) { return refuse(.refused, why, request) }
    do throws(OutputError) {
      try presenter.requestLease(self, request)
    } catch {
      refuse(.refused, error.description, request)
    }
  }
}

extension ClientSession: LeaseHolder {
  var mayControl: Bool { purpose == .control }

  func leaseGranted(_ lease: OutputLease, request: RequestID) {
    send(
      .leased(
        Leased(
          lesseeID: lease.lesseeID, connectorID: lease.connectorID, crtcID: lease.crtcID, planeID: lease.planeID),
        request: request.wire), fd: lease.descriptor)
  }

  func leaseEnded(_ why: String, request: RequestID) { send(.leaseEnded(why: why, request: request.wire)) }

  func leaseRefused(_ why: String, request: RequestID) { refuse(.refused, why, request) }
}
