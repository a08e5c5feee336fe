import Glibc
import LinuxIO
import Testing

/// A TCP connection of this host with SO_LINGER and a full buffer: to close its last descriptor waits until the other
/// end has read everything, or for the time of SO_LINGER.
final class LingeringSocket {
  private let reader: OwnedFD
  private var writer: OwnedFD?

  init(lingerSeconds: Int32) throws {
    let listener = OwnedFD(taking: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    var size: Int32 = 4096
    try #require(setsockopt(listener.raw, SOL_SOCKET, SO_RCVBUF, &size, 4) == 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let writer = OwnedFD(taking: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    try #require(setsockopt(writer.raw, SOL_SOCKET, SO_SNDBUF, &size, 4) == 0)
    let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(listener.raw, generic, length) == 0 && listen(listener.raw, 1) == 0
          && getsockname(listener.raw, generic, &length) == 0 && connect(writer.raw, generic, length) == 0
      }
    }
    try #require(isConnected)
    reader = OwnedFD(taking: accept(listener.raw, nil, nil))
    var linger = linger(l_onoff: 1, l_linger: lingerSeconds)
    try #require(
      setsockopt(writer.raw, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size)) == 0)
    try writer.setNonblocking()
    try reader.setNonblocking()
    let bytes = [UInt8](repeating: 1, count: 65_536)
    // The other end's window takes what is in flight; two attempts in a row without room mean that it is shut.
    var refusals = 0
    while refusals < 2 {
      if send(writer.raw, bytes, bytes.count, 0) < 0 {
        refusals += 1
        _ = try waitUntilReady(writer.raw, .writable, timeoutMilliseconds: 50)
      } else {
        refusals = 0
      }
    }
    self.writer = consume writer
  }

  /// The full end's descriptor.
  var descriptor: Int32 { writer?.raw ?? -1 }

  /// Closes this process's own descriptor of the full end, while a message has another one.
  func letGo() { writer = nil }

  /// Reads what there is; the lingering end stops waiting once all has been read.
  func drain() {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while recv(reader.raw, &bytes, bytes.count, 0) > 0 {}
  }
}
