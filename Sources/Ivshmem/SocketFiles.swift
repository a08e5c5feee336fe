import Glibc
public import LinuxIO

extension UnixSocket {
  /// Whether the socket is listening, not connected.
  ///
  /// The corresponding C function is `getsockopt(SO_ACCEPTCONN)`.
  public borrowing func isListening() throws(SystemError) -> Bool {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    let raw = fd.raw
    try check("getsockopt(SO_ACCEPTCONN)", "descriptor \(raw)") {
      unsafe getsockopt(raw, SOL_SOCKET, SO_ACCEPTCONN, &value, &length)
    }
    return value != 0
  }
}
