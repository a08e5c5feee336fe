import CLinux
import Glibc
public import LinuxIO

/// A TCP connection of this host with SO_LINGER and a full buffer: to close its last descriptor waits until the other
/// end has read everything, or for the time of SO_LINGER.
public final class LingeringSocket {
  private let reader: OwnedFD
  private var writer: OwnedFD?

  /// Connects, and fills the buffer.
  public init(lingerSeconds: Int32) throws(SystemError) {
    let stream = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let listener = OwnedFD(taking: try check("socket") { socket(AF_INET, stream, 0) })
    let writer = OwnedFD(taking: try check("socket") { socket(AF_INET, stream, 0) })
    let (listening, writing) = (listener.raw, writer.raw)
    var size: Int32 = 4096
    try check("setsockopt(SO_RCVBUF)") { setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &size, 4) }
    try check("setsockopt(SO_SNDBUF)") { setsockopt(writing, SOL_SOCKET, SO_SNDBUF, &size, 4) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(listening, generic, length) == 0 && listen(listening, 1) == 0
          && getsockname(listening, generic, &length) == 0 && connect(writing, generic, length) == 0
      }
    }
    guard isConnected else { throw SystemError(call: "connect", code: errno, subject: "127.0.0.1") }
    reader = OwnedFD(taking: try check("accept4") { clinux_accept4(listening, Int32(SOCK_CLOEXEC.rawValue)) })
    var linger = linger(l_onoff: 1, l_linger: lingerSeconds)
    try check("setsockopt(SO_LINGER)") {
      setsockopt(writing, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }
    try writer.setNonblocking()
    try reader.setNonblocking()
    let bytes = [UInt8](repeating: 1, count: 65_536)
    // The other end's window takes what is in flight; two attempts in a row without room mean that it is shut.
    var refusals = 0
    while refusals < 2 {
      if send(writing, bytes, bytes.count, 0) < 0 {
        refusals += 1
        _ = try waitUntilReady(writing, .writable, timeoutMilliseconds: 50)
      } else {
        refusals = 0
      }
    }
    self.writer = consume writer
  }

  /// The full end's descriptor.
  public var descriptor: Int32 { writer?.raw ?? -1 }

  /// Closes this process's own descriptor of the full end, while a message has another one.
  public func letGo() { writer = nil }

  /// Reads what there is; the lingering end stops waiting once all has been read.
  public func drain() {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while recv(reader.raw, &bytes, bytes.count, 0) > 0 {}
  }
}
