import Glibc

extension HostProcess {
  /// The number of a user, by its name or by the number itself; nil if there is no such user.
  ///
  /// The corresponding C function is `getpwnam`, which is not thread-safe.
  public static func userID(_ name: String) -> UInt32? {
    if let number = UInt32(name) { return number == .max ? nil : number }
    guard let entry = unsafe getpwnam(name) else { return nil }
    return unsafe entry.pointee.pw_uid
  }

  /// The number of a group, by its name or by the number itself; nil if there is no such group.
  ///
  /// The corresponding C function is `getgrnam`, which is not thread-safe.
  public static func groupID(_ name: String) -> UInt32? {
    if let number = UInt32(name) { return number == .max ? nil : number }
    guard let entry = unsafe getgrnam(name) else { return nil }
    return unsafe entry.pointee.gr_gid
  }
}
