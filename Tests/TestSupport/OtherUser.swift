import CFaults
import Glibc
public import LinuxIO

extension UnixSocket {
  /// Connects as another user and the group of the same number: the kernel gives their numbers to the other side. Other
  /// threads are not affected. For root.
  public static func connect(_ path: String, asUser uid: UInt32) throws(SystemError) -> UnixSocket {
    let raw = framepath_connect_as(path, uid)
    guard raw >= 0 else { throw SystemError(call: "connect", code: -raw, subject: "\(path) as user \(uid)") }
    return UnixSocket(taking: OwnedFD(taking: raw))
  }
}
