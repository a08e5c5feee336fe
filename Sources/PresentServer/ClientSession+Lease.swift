import Outputs
import PresentProtocol

extension ClientSession {
  /// Answers LEASE, at once or when the output is free.
  func requestLease(of name: String, _ request: UInt64) {
    guard let presenter = server.presenters.first(where: { $0.name == name }) else {
      let names = server.presenters.map(\.name).joined(separator: ", ")
      return refuse(.refused, 0, "there is no output \(name); there are: \(names)", request)
    }
    if presenter.leasing.lessees.contains(where: { $0.session === self }) {
      return refuse(.refused, 0, "this client has \(name) as a lease already, or waits for it", request)
    }
    if let why = objection(toLeasing: presenter) { return refuse(.refused, 0, why, request) }
    do throws(OutputError) {
      try presenter.requestLease(self, request)
    } catch {
      refuse(.refused, 0, error.description, request)
    }
  }

  /// Why this client may not lease that output; nil where it may.
  func objection(toLeasing presenter: Presenter) -> String? {
    presenter.leasing.policy.objection(to: peer, groups: peerGroups, output: presenter.name)
  }
}
