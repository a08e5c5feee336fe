import CLinux

extension UnixSocket {
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
