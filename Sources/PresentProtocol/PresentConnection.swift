public import LinuxIO

/// One end of a client's connection: whole messages in and out.
///
/// Owned by one thread. Sending and receiving allocate nothing but what texts need.
@safe public final class PresentConnection {
  private let socket: UnixSocket
  private let output: UnsafeMutableRawBufferPointer
  private let input: UnsafeMutableRawBufferPointer

  /// Takes over a connected SOCK_SEQPACKET socket and makes it nonblocking.
  public init(_ socket: consuming UnixSocket) throws(SystemError) {
    self.socket = socket
    unsafe output = .allocate(byteCount: PresentLimits.messageByteCount, alignment: 16)
    unsafe input = .allocate(byteCount: PresentLimits.messageByteCount, alignment: 16)
    try self.socket.fd.setNonblocking()
  }

  deinit {
    unsafe output.deallocate()
    unsafe input.deallocate()
  }

  /// Connects to a daemon.
  ///
  /// - Throws: a `SystemError` of `connect`, ENOENT or ECONNREFUSED where no daemon listens.
  public static func connect(_ path: String) throws(SystemError) -> PresentConnection {
    try PresentConnection(UnixSocket.connect(path, .seqpacket))
  }

  /// The socket's descriptor, for an event loop; valid while this object lives.
  public var descriptor: Int32 { socket.fd.raw }

  /// Who is at the other end.
  public func peerCredentials() throws(SystemError) -> PeerCredentials { try socket.peerCredentials() }

  /// Sends a message to the daemon, with descriptors that stay the caller's.
  ///
  /// - Returns: false where the socket is full: nothing was sent.
  /// - Throws: `.closed` where the daemon is gone.
  public func send(_ message: ClientMessage, fds: [Int32] = []) throws(PresentProtocolError) -> Bool {
    try unsafe send(output, message.encode(into: output), fds)
  }

  /// Sends a message to the client, with descriptors that stay the caller's.
  ///
  /// - Returns: false where the socket is full: nothing was sent.
  /// - Throws: `.closed` where the client is gone.
  public func send(_ message: ServerMessage, fds: [Int32] = []) throws(PresentProtocolError) -> Bool {
    try unsafe send(output, message.encode(into: output), fds)
  }

  /// The client's next message, or nil where none has come.
  ///
  /// - Parameter fds: where its descriptors go.
  /// - Throws: `.closed` at the end; `.malformed` and `.otherVersion` for what must end the connection.
  public func receiveClientMessage(fds: inout ReceivedFDs) throws(PresentProtocolError) -> ClientMessage? {
    guard let count = try receive(&fds) else { return nil }
    return try unsafe ClientMessage.decode(UnsafeRawBufferPointer(rebasing: input[..<count]))
  }

  /// The daemon's next message, or nil where none has come.
  ///
  /// - Parameter fds: where its descriptors go.
  /// - Throws: `.closed` at the end; `.malformed` and `.otherVersion` for what must end the connection.
  public func receiveServerMessage(fds: inout ReceivedFDs) throws(PresentProtocolError) -> ServerMessage? {
    guard let count = try receive(&fds) else { return nil }
    return try unsafe ServerMessage.decode(UnsafeRawBufferPointer(rebasing: input[..<count]))
  }

  private func send(
    _ buffer: UnsafeMutableRawBufferPointer, _ byteCount: Int, _ fds: [Int32]
  ) throws(PresentProtocolError) -> Bool {
    do throws(SystemError) {
      return try unsafe socket.send(UnsafeRawBufferPointer(rebasing: buffer[..<byteCount]), fds: fds) != nil
    } catch {
      throw error.isDisconnection ? .closed : .system(error)
    }
  }

  private func receive(_ fds: inout ReceivedFDs) throws(PresentProtocolError) -> Int? {
    let result: ReceiveResult
    do throws(SystemError) {
      result = try unsafe socket.receive(into: input, fds: &fds, wait: false)
    } catch {
      throw error.isDisconnection ? .closed : .system(error)
    }
    switch result {
    case .bytes(let count): return count
    case .wouldBlock: return nil
    case .closed: throw .closed
    case .truncated:
      throw .malformed("a message of more than \(PresentLimits.messageByteCount) bytes, or with too many descriptors")
    }
  }
}
