import CLinux

/// The credentials of a Unix socket's peer, from the kernel (SO_PEERCRED).
public struct PeerCredentials: Equatable, Sendable {
  /// Process id at the time of connecting.
  public let pid: Int32
  /// Effective user id.
  public let uid: UInt32
  /// Effective group id.
  public let gid: UInt32

  /// The credentials of a process.
  public init(pid: Int32, uid: UInt32, gid: UInt32) {
    self.pid = pid
    self.uid = uid
    self.gid = gid
  }
}

extension UnixSocket {
  /// The credentials of the peer.
  public borrowing func peerCredentials() throws(SystemError) -> PeerCredentials {
    var pid: Int32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    let raw = fd.raw
    try check("getsockopt(SO_PEERCRED)") { unsafe clinux_peer_credentials(raw, &pid, &uid, &gid) }
    return PeerCredentials(pid: pid, uid: uid, gid: gid)
  }

  /// The peer's supplementary groups at the time of connecting; empty on a kernel before 4.13.
  ///
  /// The corresponding C function is `getsockopt(SO_PEERGROUPS)`.
  public borrowing func peerGroups() -> [UInt32] {
    var groups = [UInt32](repeating: 0, count: 64)
    while true {
      let room = groups.count
      // SAFETY: the call writes at most `room` numbers.
      let count = unsafe groups.withUnsafeMutableBufferPointer { space in
        unsafe clinux_peer_groups(fd.raw, space.baseAddress, Int32(room))
      }
      if count < 0 { return [] }
      if count <= room { return Array(groups[..<Int(count)]) }
      groups = [UInt32](repeating: 0, count: Int(count))
    }
  }

  /// Whether sent messages carry this process's credentials, for a peer that requires SCM_CREDENTIALS, as D-Bus does.
  ///
  /// The corresponding C function is `setsockopt(SO_PASSCRED)`.
  public borrowing func sendCredentials(_ on: Bool) throws(SystemError) {
    let raw = fd.raw
    try check("setsockopt(SO_PASSCRED)") { clinux_pass_credentials(raw, on ? 1 : 0) }
  }

  /// The security label of the peer: an AppArmor profile such as `libvirt-UUID`, an SELinux or Smack context. nil without
  /// a security module.
  ///
  /// The corresponding C function is `getsockopt(SO_PEERSEC)`: the label at the time of connecting. AppArmor has it on
  /// Linux 7.2, but not on 6.12: this is then the label that the process has now. The mode that AppArmor adds, as in `name (enforce)`,
  /// is left out.
  public borrowing func peerLabel() -> String? {
    var bytes = [CChar](repeating: 0, count: 4096)
    let room = Int32(bytes.count)
    // SAFETY: the call writes at most `room` bytes.
    let count = unsafe bytes.withUnsafeMutableBufferPointer { space in
      unsafe clinux_peer_label(fd.raw, space.baseAddress, room)
    }
    guard count > 0 else { return labelOfPeerProcess() }
    return UnixSocket.label(bytes.prefix(Int(count)).map { UInt8(bitPattern: $0) })
  }

  private borrowing func labelOfPeerProcess() -> String? {
    let raw = clinux_peer_pidfd(fd.raw)
    guard raw >= 0 else { return nil }
    let process = OwnedFD(taking: raw)
    do throws(SystemError) {
      let label = UnixSocket.label(try LinuxFile.read("/proc/\(peerCredentials().pid)/attr/current"))
      // If the process still runs, its number was not given to another one meanwhile.
      return try waitUntilReady(process.raw, .readable, timeoutMilliseconds: 0).isEmpty ? label : nil
    } catch {
      return nil
    }
  }

  /// The label in the kernel's bytes; nil if it is empty or not text.
  static func label(_ bytes: [UInt8]) -> String? {
    let end = bytes.firstIndex { $0 == 0 || $0 == 0x0a } ?? bytes.count
    guard end > 0, let text = String(validating: bytes[..<end], as: UTF8.self) else { return nil }
    guard text.hasSuffix(")"), let space = text.lastIndex(of: " "), text[space...].hasPrefix(" (") else { return text }
    return String(text[..<space])
  }
}
