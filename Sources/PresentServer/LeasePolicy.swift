import LinuxIO

/// Who may have an output as a DRM lease, by what the kernel says of the client's process.
struct LeasePolicy: Equatable {
  /// Nobody, not even the daemon's own user.
  var isOff = false
  /// Users, beside the daemon's own and root.
  var users: [UInt32] = []
  /// Groups, each by its main or a further member.
  var groups: [UInt32] = []

  /// Why that client may not, and what would let it; nil where it may.
  func objection(to peer: PeerCredentials, groups peerGroups: [UInt32], output: String) -> String? {
    if isOff { return "\(output) is leased to nobody: [output.\(output)] says lease = \"off\"" }
    if peer.uid == 0 || peer.uid == currentUserID() || users.contains(peer.uid) { return nil }
    if groups.contains(peer.gid) || peerGroups.contains(where: groups.contains) { return nil }
    return "user \(peer.uid) may not lease \(output); to let it, framepathd's configuration says "
      + "[output.\(output)] lease = \"uid \(peer.uid)\""
  }
}

extension LeasePolicy {
  /// From `off`, `own`, or a list such as `uid 1000, gid 44`.
  init(setting: String, _ line: Int) throws(SettingsError) {
    if setting == "own" { return }
    if setting == "off" {
      isOff = true
      return
    }
    for item in setting.split(separator: ",", omittingEmptySubsequences: false) {
      let words = item.split(separator: " ")
      guard words.count == 2, let number = UInt32(words[1]), number != .max else {
        throw LeasePolicy.refusal(setting, line)
      }
      switch words[0] {
      case "uid": users.append(number)
      case "gid": groups.append(number)
      default: throw LeasePolicy.refusal(setting, line)
      }
    }
  }

  private static func refusal(_ setting: String, _ line: Int) -> SettingsError {
    SettingsError(line, "lease is off, own, or users and groups such as \"uid 1000, gid 44\", not \(setting)")
  }

  /// As settings name it.
  var text: String {
    if isOff { return "off" }
    let items = users.map { "uid \($0)" } + groups.map { "gid \($0)" }
    return items.isEmpty ? "own" : items.joined(separator: ", ")
  }
}
