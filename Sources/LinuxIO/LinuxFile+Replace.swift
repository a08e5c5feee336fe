import Glibc

extension LinuxFile {
  /// Replaces the file at `path` as a whole or not at all: a new file beside it is renamed when it is completely
  /// written.
  ///
  /// An existing file that is not regular (a device, a pipe) is written to directly.
  ///
  /// The corresponding C functions are `write`, `fsync` and `rename`.
  public static func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
    if let present = status(path), present.kind != .regular {
      guard present.kind != .directory else { throw SystemError(call: "write", code: EISDIR, subject: path) }
      let fd = try OwnedFD.open(path, flags: O_WRONLY)
      try write(bytes, to: fd.raw, subject: path)
      return
    }
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    let temporary = "\(path[..<slash]).\(path[slash...]).\(getpid()).part"
    let fd: OwnedFD
    do throws(SystemError) {
      fd = try OwnedFD.open(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o666)
    } catch {
      // The requested path is clearer than the temporary one.
      throw SystemError(call: error.call, code: error.code, subject: path)
    }
    do throws(SystemError) {
      let raw = fd.raw
      try write(bytes, to: raw, subject: path)
      try check("fsync", path) { fsync(raw) }
      try check("rename", path) { unsafe rename(temporary, path) }
    } catch {
      _ = unsafe unlink(temporary)
      throw error
    }
  }

  /// Makes a symbolic link, replacing an existing one.
  ///
  /// The corresponding C functions are `symlink` and `rename`.
  public static func replaceLink(_ path: String, target: String) throws(SystemError) {
    let fresh = path + ".new"
    removeFile(fresh)
    try check("symlink", fresh) { unsafe symlink(target, fresh) }
    try check("rename", path) { unsafe rename(fresh, path) }
  }

  /// Writes all of `bytes` to standard output.
  public static func writeToStandardOutput(_ bytes: [UInt8]) throws(SystemError) {
    try write(bytes, to: STDOUT_FILENO, subject: "standard output")
  }

  /// Writes a text to standard error.
  public static func writeToStandardError(_ text: String) throws(SystemError) {
    try write(Array(text.utf8), to: STDERR_FILENO, subject: "standard error")
  }

  static func write(_ bytes: [UInt8], to fd: Int32, subject: String) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let start = done
      done += try check("write", subject) {
        unsafe bytes.withUnsafeBytes {
          unsafe Glibc.write(fd, $0.baseAddress.map { unsafe $0 + start }, $0.count - start)
        }
      }
    }
  }
}
