import CLinux

extension UnixSocket {
  /// The security label of the peer at the time of connecting: an AppArmor profile such as `libvirt-UUID`, an SELinux or
  /// Smack context. nil without a security module that labels sockets.
  ///
  /// The corresponding C function is `getsockopt(SO_PEERSEC)`. The mode that AppArmor adds, as in `name (enforce)`, is
  /// left out.
  public borrowing func peerLabel() -> String? {
    var bytes = [CChar](repeating: 0, count: 4096)
    let room = Int32(bytes.count)
    // SAFETY: the call writes at most `room` bytes.
    let count = unsafe bytes.withUnsafeMutableBufferPointer { space in
      unsafe clinux_peer_label(fd.raw, space.baseAddress, room)
    }
    guard count > 0 else { return nil }
    return UnixSocket.label(bytes.prefix(Int(count)).map { UInt8(bitPattern: $0) })
  }

  /// The label in the kernel's bytes; nil if it is empty or not text.
  static func label(_ bytes: [UInt8]) -> String? {
    guard let text = String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self), !text.isEmpty else { return nil }
    guard text.hasSuffix(")"), let space = text.lastIndex(of: " "), text[space...].hasPrefix(" (") else { return text }
    return String(text[..<space])
  }
}
