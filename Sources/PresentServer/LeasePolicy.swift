import DaemonSettings
import LinuxIO

extension LeasePolicy {
  /// Why a client may not have an output as a DRM lease, by what the kernel says of its process, and what would let it;
  /// nil where it may.
  func objection(to peer: PeerCredentials, groups peerGroups: [UInt32], output: String) -> String? {
    guard case .allowed(let users, let groups) = self else {
      return "\(output) is leased to no client: [output.\(output)] has lease = \"off\""
    }
    if peer.uid == 0 || peer.uid == currentUserID() || users.contains(peer.uid) { return nil }
    if groups.contains(peer.gid) || peerGroups.contains(where: groups.contains) { return nil }
    return "user \(peer.uid) may not lease \(output); to let it, framepathd's configuration says "
      + "[output.\(output)] lease = \"uid \(peer.uid)\""
  }
}
