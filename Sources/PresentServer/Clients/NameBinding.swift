import DaemonSettings
import LinuxIO
import PresentProtocol

extension VMSettings {
  /// Why a client may not have the VM's name; nil if it may. Does not tell whose it is.
  func objection(toName name: String, of peer: PeerCredentials, label peerLabel: String?) -> String? {
    if let userID, userID != peer.uid { return "the host keeps the name \(name) for another user than \(peer.uid)" }
    guard let label, label != peerLabel else { return nil }
    let own = peerLabel.map { "another security label than \($0)" } ?? "a client with a security label"
    return "the host keeps the name \(name) for \(own)"
  }
}

extension Server {
  /// Ends clients whose names are kept for others by changed settings.
  func endUsurpers(_ plan: SettingsPlan) {
    for session in sessions where !session.surfaces.isEmpty && !session.isClosed {
      guard plan.change(ofVM: session.name, "user", "label") != nil else { continue }
      guard let why = session.settings.objection(toName: session.name, of: session.peer, label: session.peerLabel)
      else { continue }
      session.refuse(.nameTaken, why, .none)
      clients.drop(session, "refused: \(why)")
    }
  }
}
