import Glibc
public import LinuxIO

/// Why an ivshmem server cannot be used.
public enum IvshmemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// The server has closed the connection.
  case closed
  /// There was no message in time.
  case timedOut
  /// The server has another protocol version.
  case version(Int64)
  /// A message out of order, or without its descriptor.
  case unexpected(String)

  /// A message for the user.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .closed: "the ivshmem server closed the connection"
    case .timedOut: "the ivshmem server did not answer in time"
    case .version(let number): "the ivshmem server has version \(number), not 0"
    case .unexpected(let what): "the ivshmem server sent \(what)"
    }
  }
}

/// A client that is not a VM: the memory and two doorbells that the server sends.
///
/// The connection must stay open as long as the memory is used, because its end disconnects the client.
public struct IvshmemClient: ~Copyable {
  /// The shared memory.
  public let memory: OwnedFD
  /// Signalled by the client to wake the host.
  public let hostDoorbell: EventFD
  /// Signalled by the host.
  public let guestDoorbell: EventFD
  private let socket: UnixSocket

  private init(
    memory: consuming OwnedFD, hostDoorbell: consuming EventFD, guestDoorbell: consuming EventFD,
    socket: consuming UnixSocket
  ) {
    self.memory = memory
    self.hostDoorbell = hostDoorbell
    self.guestDoorbell = guestDoorbell
    self.socket = socket
  }

  /// Whether the server is connected.
  public borrowing func isConnected() -> Bool {
    let ready = try? waitUntilReady(socket.fd.raw, .readable, timeoutMilliseconds: 0)
    return ready?.contains(.hangUp) == false
  }

  /// Connects and receives the memory and doorbells.
  ///
  /// - Parameter timeoutMilliseconds: for each message.
  public static func connect(
    _ path: String, timeoutMilliseconds: Int32 = 5000
  ) throws(IvshmemError) -> IvshmemClient {
    let socket: UnixSocket
    do throws(SystemError) { socket = try UnixSocket.connect(path, .stream) } catch { throw .system(error) }
    return try greet(socket, timeoutMilliseconds: timeoutMilliseconds)
  }

  /// Receives a server's greeting on a connected socket.
  public static func greet(
    _ socket: consuming UnixSocket, timeoutMilliseconds: Int32 = 5000
  ) throws(IvshmemError) -> IvshmemClient {
    var fds = ReceivedFDs()
    let version = try receive(socket, &fds, timeoutMilliseconds)
    guard version == IvshmemProtocol.version, fds.count == 0 else { throw .version(version) }
    let id = try receive(socket, &fds, timeoutMilliseconds)
    guard (0...IvshmemProtocol.maxPeerID).contains(id), fds.count == 0 else { throw .unexpected("id \(id)") }
    guard try receive(socket, &fds, timeoutMilliseconds) == IvshmemProtocol.memory, let memory = fds.take(0) else {
      throw .unexpected("no memory")
    }
    guard let host = try doorbell(IvshmemProtocol.hostPeer, before: id, socket, timeoutMilliseconds) else {
      throw .unexpected("no doorbell of the host")
    }
    guard let own = try doorbell(id, before: nil, socket, timeoutMilliseconds) else {
      throw .unexpected("no doorbell of its client")
    }
    return IvshmemClient(
      memory: memory, hostDoorbell: EventFD(taking: host), guestDoorbell: EventFD(taking: own), socket: socket)
  }

  /// The first doorbell of `peer`, or nil if one of `end` is received first; doorbells of other peers are closed.
  private static func doorbell(
    _ peer: Int64, before end: Int64?, _ socket: borrowing UnixSocket, _ timeoutMilliseconds: Int32
  ) throws(IvshmemError) -> OwnedFD? {
    var fds = ReceivedFDs()
    // There are at most as many peers as ids.
    for _ in 0...IvshmemProtocol.maxPeerID {
      let number = try receive(socket, &fds, timeoutMilliseconds)
      guard let eventfd = fds.take(0) else { continue }
      if number == peer { return eventfd }
      if number == end { return nil }
    }
    return nil
  }

  /// Receives eight bytes, with the descriptor of the first of them.
  private static func receive(
    _ socket: borrowing UnixSocket, _ fds: inout ReceivedFDs, _ timeoutMilliseconds: Int32
  ) throws(IvshmemError) -> Int64 {
    var bytes: [UInt8] = []
    do throws(SystemError) {
      while bytes.count < IvshmemProtocol.messageByteCount {
        guard try waitUntilReady(socket.fd.raw, .readable, timeoutMilliseconds: timeoutMilliseconds) != [] else {
          break
        }
        var part = [UInt8](repeating: 0, count: IvshmemProtocol.messageByteCount - bytes.count)
        var partFDs = ReceivedFDs()
        let result: Result<ReceiveResult, SystemError> = unsafe part.withUnsafeMutableBytes { space in
          do throws(SystemError) {
            return .success(try unsafe socket.receive(into: space, fds: &partFDs))
          } catch { return .failure(error) }
        }
        if bytes.isEmpty { fds = partFDs }
        switch try result.get() {
        case .bytes(let count): bytes += part[..<count]
        case .wouldBlock: continue
        case .closed, .truncated: throw SystemError(call: "recvmsg", code: ECONNRESET)
        }
      }
    } catch {
      if error.code == ECONNRESET { throw .closed }
      throw .system(error)
    }
    guard bytes.count == IvshmemProtocol.messageByteCount else { throw .timedOut }
    return IvshmemProtocol.number(of: bytes)
  }
}
