import CLinux
import Glibc

/// A Unix-domain socket.
public struct UnixSocket: ~Copyable {
  /// SOCK_STREAM or SOCK_SEQPACKET.
  public enum Kind: Sendable {
    /// A byte stream (SOCK_STREAM).
    case stream
    /// Messages with kept boundaries (SOCK_SEQPACKET).
    case seqpacket
    fileprivate var rawValue: Int32 {
      switch self {
      case .stream: Int32(SOCK_STREAM.rawValue)
      case .seqpacket: Int32(SOCK_SEQPACKET.rawValue)
      }
    }
  }

  /// The descriptor.
  public let fd: OwnedFD

  /// Takes over a connected or listening socket.
  public init(taking fd: consuming OwnedFD) { self.fd = fd }

  /// The number of connections that may wait to be accepted; the kernel limits it to net.core.somaxconn.
  private static let backlog: Int32 = 1024

  /// Binds and listens at `path`. An existing socket file at `path` is not removed.
  ///
  /// The corresponding C functions are `socket`, `fchmod`, `bind`, `chmod` and `listen`.
  public static func listen(_ path: String, _ kind: Kind, mode: UInt32 = 0o600) throws(SystemError) -> UnixSocket {
    let fd = try make(kind)
    let raw = fd.raw
    // The file has the mode of the socket, without the umask's bits: it is never wider than wanted.
    try check("fchmod", path) { fchmod(raw, mode) }
    try unsafe withAddress(path) { (address, length) throws(SystemError) in
      try check("bind", path) { unsafe bind(raw, address, length) }
    }
    try check("chmod", path) { unsafe chmod(path, mode) }
    try check("listen", path) { Glibc.listen(raw, backlog) }
    return UnixSocket(taking: fd)
  }

  /// Connects to a listening socket; the result is blocking.
  ///
  /// The corresponding C functions are `connect` and `setsockopt(SO_SNDTIMEO)`.
  /// - Parameter timeoutMilliseconds: how long to wait for a busy listener: its queue fills while it does not accept. 0
  ///   does not wait, and the result is nonblocking.
  /// - Throws: a `SystemError` of `connect`: ENOENT or ECONNREFUSED without a listener, EAGAIN at the timeout.
  public static func connect(
    _ path: String, _ kind: Kind, timeoutMilliseconds: Int = 5000
  ) throws(SystemError) -> UnixSocket {
    let fd = try make(kind)
    let raw = fd.raw
    if timeoutMilliseconds > 0 {
      try setSendTimeout(raw, timeoutMilliseconds)
    } else {
      try fd.setNonblocking()
    }
    try unsafe withAddress(path) { (address, length) throws(SystemError) in
      try check("connect", path) { unsafe Glibc.connect(raw, address, length) }
    }
    if timeoutMilliseconds > 0 { try setSendTimeout(raw, 0) }
    return UnixSocket(taking: fd)
  }

  private static func setSendTimeout(_ raw: Int32, _ milliseconds: Int) throws(SystemError) {
    var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    try check("setsockopt(SO_SNDTIMEO)") {
      unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  /// Two connected sockets.
  ///
  /// The corresponding C function is `socketpair`. The first end is `pair.0` of the closure.
  public static func pair(_ kind: Kind) throws(SystemError) -> SocketPair {
    var numbers: (Int32, Int32) = (-1, -1)
    let type = kind.rawValue | Int32(SOCK_CLOEXEC.rawValue)
    let result = unsafe withUnsafeMutableBytes(of: &numbers) { bytes in
      unsafe socketpair(AF_UNIX, type, 0, bytes.bindMemory(to: Int32.self).baseAddress)
    }
    guard result == 0 else { throw SystemError(call: "socketpair", code: errno) }
    return SocketPair(
      first: UnixSocket(taking: OwnedFD(taking: numbers.0)), second: UnixSocket(taking: OwnedFD(taking: numbers.1)))
  }

  /// The next waiting connection; nil if none waits on a nonblocking listener.
  ///
  /// The corresponding C function is `accept4`.
  /// - Parameter account: closes the connection: to close a socket closes the descriptors in its unread messages.
  public borrowing func accept(for account: DescriptorAccount? = nil) throws(SystemError) -> UnixSocket? {
    let raw = fd.raw
    do throws(SystemError) {
      let number = try check("accept4") { clinux_accept4(raw, Int32(SOCK_CLOEXEC.rawValue)) }
      return UnixSocket(taking: OwnedFD(taking: number, of: account))
    } catch {
      if error.code == EAGAIN || error.code == ECONNABORTED { return nil }
      throw error
    }
  }

  /// The same socket, counted and closed by an account.
  public consuming func owned(by account: DescriptorAccount) -> UnixSocket {
    UnixSocket(taking: fd.connection(of: account))
  }

  /// Whether the other side has not read all that was sent. Each message that it reads makes this side writable anew.
  ///
  /// The corresponding C function is `ioctl(SIOCOUTQ)`.
  public var hasUnreadAtPeer: Bool {
    // A message counts with its kernel structures; the last byte is freed after this side was woken.
    clinux_unread_bytes(fd.raw) > 256
  }

  /// Ends the connection for both sides at once; unread messages stay until the descriptor is closed.
  ///
  /// The corresponding C function is `shutdown`. A socket that is not connected is left as it is.
  public borrowing func shutDown() { _ = shutdown(fd.raw, Int32(SHUT_RDWR)) }

  /// Sends bytes, with up to 64 descriptors, which the caller keeps.
  ///
  /// The corresponding C function is `sendmsg`; SIGPIPE is never raised.
  /// - Returns: bytes sent, or nil if a nonblocking socket is full.
  public borrowing func send(
    _ bytes: UnsafeRawBufferPointer, fds: [Int32] = []
  ) throws(SystemError) -> Int? {
    let raw = fd.raw
    while true {
      let sent = unsafe clinux_send(raw, bytes.baseAddress, bytes.count, fds, fds.count, 0)
      if sent >= 0 { return sent }
      switch errno {
      case EINTR: continue
      case EAGAIN: return nil
      default: throw SystemError(call: "sendmsg", code: errno)
      }
    }
  }

  /// Receives one message, or the bytes of a stream up to the buffer's size.
  ///
  /// The corresponding C function is `recvmsg`.
  /// - Parameters:
  ///   - buffer: receives the bytes.
  ///   - fds: receives the descriptors, close-on-exec; its former content is closed.
  ///   - wait: false returns `.wouldBlock` even on a blocking socket.
  public borrowing func receive(
    into buffer: UnsafeMutableRawBufferPointer, fds: inout ReceivedFDs, wait: Bool = true
  ) throws(SystemError) -> ReceiveResult {
    var numbers: InlineArray<64, Int32> = .init(repeating: -1)
    var count = 64
    var excess: UnsafePointer<Int32>?
    var excessCount = 0
    var truncated: Int32 = 0
    let raw = fd.raw
    fds.removeAll()
    while true {
      let received = unsafe withUnsafeMutableBytes(of: &numbers) { space in
        unsafe clinux_receive(
          raw, buffer.baseAddress, buffer.count, space.bindMemory(to: Int32.self).baseAddress, &count, &excess,
          &excessCount, &truncated, wait ? 0 : Int32(MSG_DONTWAIT))
      }
      if received < 0 {
        switch errno {
        case EINTR:
          count = 64
          continue
        case EAGAIN: return .wouldBlock
        case ECONNRESET: return .closed
        default: throw SystemError(call: "recvmsg", code: errno)
        }
      }
      for index in 0..<count { fds.append(numbers[index]) }
      // SAFETY: the call has returned an array of `excessCount` numbers, valid until its next call on this thread.
      if let excess = unsafe excess { for index in 0..<excessCount { fds.discard(unsafe excess[index]) } }
      if truncated == 1 || truncated == 2 && !fds.noteLoss() { return .truncated }
      return received == 0 ? .closed : .bytes(received)
    }
  }

  private static func make(_ kind: Kind) throws(SystemError) -> OwnedFD {
    let type = kind.rawValue | Int32(SOCK_CLOEXEC.rawValue)
    return OwnedFD(taking: try check("socket") { socket(AF_UNIX, type, 0) })
  }

  private static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
  ) throws(SystemError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard !bytes.isEmpty, bytes.count < capacity else {
      throw SystemError(call: "socket path", code: ENAMETOOLONG, subject: "\(path) (\(capacity - 1) bytes at most)")
    }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { space in unsafe space.copyBytes(from: bytes) }
    let result: Result<Void, SystemError> = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        do throws(SystemError) {
          return .success(try unsafe body(generic, socklen_t(MemoryLayout<sockaddr_un>.size)))
        } catch {
          return .failure(error)
        }
      }
    }
    try result.get()
  }
}

/// The two ends of `UnixSocket.pair`. Frozen, so that other modules can consume its parts.
@frozen public struct SocketPair: ~Copyable {
  /// One end.
  public var first: UnixSocket
  /// The other end.
  public var second: UnixSocket
}
