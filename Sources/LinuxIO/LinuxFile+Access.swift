import Glibc

extension LinuxFile {
  /// Sets a file's permissions.
  ///
  /// The corresponding C function is `chmod`.
  public static func setMode(of path: String, to mode: UInt32) throws(SystemError) {
    try check("chmod", path) { unsafe chmod(path, mode) }
  }

  /// Sets the group of a file, or of a symbolic link itself.
  ///
  /// The corresponding C function is `lchown`.
  /// - Throws: EPERM for a group that the process is not in, without CAP_CHOWN.
  public static func setGroup(of path: String, to groupID: UInt32) throws(SystemError) {
    try check("chgrp", path) { unsafe lchown(path, .max, groupID) }
  }
}
