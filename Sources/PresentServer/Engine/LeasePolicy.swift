import DaemonSettings
import LinuxIO

extension LeasePolicy {
  /// Why a client may not lease an output, with the remedy; nil if it may.
  ///
  /// - Parameters:
  ///   - mayControl: whether it is connected to the control socket; others may by their process's credentials.
  ///   - peerGroups: the supplementary groups of that process.
  func objection(
    to peer: PeerCredentials, mayControl: Bool, groups peerGroups: @autoclosure () -> [UInt32], output: String
  ) -> String? {
    guard case .allowed(let users, let groups) = self else {
      return "\(output) cannot be leased: [output.\(output)] has lease = \"off\""
    }
    if mayControl || users.contains(peer.uid) || groups.contains(peer.gid) { return nil }
    if !groups.isEmpty, peerGroups().contains(where: groups.contains) { return nil }
    return "user \(peer.uid) may not lease \(output); to permit it, use the control socket, or set in framepathd's "
      + "configuration [output.\(output)] lease = \"uid \(peer.uid)\""
  }
}
