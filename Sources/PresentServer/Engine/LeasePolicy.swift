import DaemonSettings
import LinuxIO

extension LeasePolicy {
  /// Why a client may not lease an output, by its process's credentials, with the remedy; nil if it may.
  func objection(to peer: PeerCredentials, groups peerGroups: [UInt32], output: String) -> String? {
    guard case .allowed(let users, let groups) = self else {
      return "\(output) cannot be leased: [output.\(output)] has lease = \"off\""
    }
    if peer.uid == 0 || peer.uid == currentUserID() || users.contains(peer.uid) { return nil }
    if groups.contains(peer.gid) || peerGroups.contains(where: groups.contains) { return nil }
    return "user \(peer.uid) may not lease \(output); to permit it, set in framepathd's configuration "
      + "[output.\(output)] lease = \"uid \(peer.uid)\""
  }
}
