import CLinux
import Glibc

/// Notifies the service manager, if there is one (sd_notify(3)).
///
/// - Parameter state: `READY=1`, `STOPPING=1` and so on.
public func notifyServiceManager(_ state: String) {
  guard let path = environmentVariable("NOTIFY_SOCKET") else { return }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  var bytes = Array(path.utf8)
  guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
  // "@" stands for the 0 byte of an abstract address.
  if bytes.first == 0x40 { bytes[0] = 0 }
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { space in unsafe space.copyBytes(from: bytes) }
  let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  guard number >= 0 else { return }
  let fd = OwnedFD(taking: number)
  let raw = fd.raw
  let prefix = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
  let length = socklen_t(prefix + bytes.count)
  unsafe withUnsafePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
      _ = unsafe sendto(raw, state, state.utf8.count, Int32(MSG_NOSIGNAL), generic, length)
    }
  }
}
