import Glibc
public import LinuxIO

/// Makes a symbolic link, replacing an existing one.
///
/// The corresponding C functions are `symlink` and `rename`.
func replaceLink(_ path: String, target: String) throws(SystemError) {
  let fresh = path + ".new"
  removeFile(fresh)
  try check("symlink", fresh) { unsafe symlink(target, fresh) }
  try check("rename", path) { unsafe rename(fresh, path) }
}

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
