public import LinuxIO

/// One end of a client's connection: sends and receives whole messages.
///
/// Owned by one thread. Sending and receiving allocate only for texts.
@safe public final class PresentConnection {
  private let socket: UnixSocket
  private let output: UnsafeMutableRawBufferPointer
  private let input: UnsafeMutableRawBufferPointer
  /// The bytes of `output` that wait for `flush`.
  private var batchByteCount = 0
  /// The unread messages of the last packet.
  private var unread = 0..<0

  /// Takes over a connected SOCK_SEQPACKET socket and makes it nonblocking.
  public init(_ socket: consuming UnixSocket) throws(SystemError) {
    self.socket = socket
    // Room for a batch and the message that no longer fits into it.
    unsafe output = .allocate(byteCount: 2 * PresentLimits.messageByteCount, alignment: 16)
    unsafe input = .allocate(byteCount: PresentLimits.messageByteCount, alignment: 16)
    try self.socket.fd.setNonblocking()
  }

  deinit {
    unsafe output.deallocate()
    unsafe input.deallocate()
  }

  /// Connects to a daemon.
  ///
  /// - Parameter timeoutMilliseconds: how long to wait while the daemon does not accept; 0 not to wait.
  /// - Throws: a `SystemError` of `connect`: ENOENT or ECONNREFUSED without a daemon, EAGAIN at the timeout.
  public static func connect(
    _ path: String, timeoutMilliseconds: Int = 5000
  ) throws(SystemError) -> PresentConnection {
    try PresentConnection(UnixSocket.connect(path, .seqpacket, timeoutMilliseconds: timeoutMilliseconds))
  }

  /// The socket's descriptor, for an event loop; valid while this object lives.
  public var descriptor: Int32 { socket.fd.raw }

  /// The credentials of the peer.
  public func peerCredentials() throws(SystemError) -> PeerCredentials { try socket.peerCredentials() }

  /// The supplementary groups of the peer.
  public func peerGroups() -> [UInt32] { socket.peerGroups() }

  /// The security label of the peer; nil without one.
  public func peerLabel() -> String? { socket.peerLabel() }

  /// Ends the connection for both sides at once. What was sent can still be read.
  public func shutDown() { socket.shutDown() }

  /// Whether the other side has not read all that was sent.
  public var hasUnreadAtPeer: Bool { socket.hasUnreadAtPeer }

  /// Sends an error and ends the connection, for a client that is not accepted.
  public func turnAway(_ error: ErrorMessage) {
    // A client that is gone, or has no room for one message, needs no error.
    _ = try? send(.error(error, request: 0))
    shutDown()
  }

  /// Sends a message to the daemon, with descriptors that the caller keeps.
  ///
  /// - Returns: false if the socket is full: nothing was sent.
  /// - Throws: `.closed` if the daemon is gone.
  public func send(_ message: ClientMessage, fds: [Int32] = []) throws(PresentProtocolError) -> Bool {
    try unsafe send(output, message.encode(into: output), fds)
  }

  /// Sends a message to the client at once, after the batch of `add`, with descriptors that the caller keeps.
  ///
  /// - Returns: false if the socket is full: nothing was sent.
  /// - Throws: `.closed` if the client is gone.
  public func send(_ message: ServerMessage, fds: [Int32] = []) throws(PresentProtocolError) -> Bool {
    guard try flush() else { return false }
    return try unsafe send(output, message.encode(into: output), fds)
  }

  /// Adds a message without descriptors to the batch that `flush` sends in one packet.
  ///
  /// - Returns: false if the packet is full: the message is not added.
  public func add(_ message: ServerMessage) -> Bool {
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: output[batchByteCount...])
    let byteCount = unsafe message.encode(into: room)
    guard batchByteCount + byteCount <= PresentLimits.messageByteCount else { return false }
    batchByteCount += byteCount
    return true
  }

  /// Whether messages wait for `flush`.
  public var hasBatch: Bool { batchByteCount > 0 }

  /// Sends the batch.
  ///
  /// - Returns: false if the socket is full: the messages stay.
  /// - Throws: `.closed` if the client is gone.
  public func flush() throws(PresentProtocolError) -> Bool {
    if batchByteCount == 0 { return true }
    guard try unsafe send(output, batchByteCount, []) else { return false }
    batchByteCount = 0
    return true
  }

  /// Whether the last packet has unread messages, for which the socket does not become readable.
  public var hasUnread: Bool { !unread.isEmpty }

  /// The client's next message; nil if there is none.
  ///
  /// - Parameter fds: receives its descriptors.
  /// - Throws: `.closed` at the end; `.malformed` and `.otherVersion` if the connection must be closed.
  public func receiveClientMessage(fds: inout ReceivedFDs) throws(PresentProtocolError) -> ClientMessage? {
    guard let count = try receive(&fds) else { return nil }
    return try unsafe ClientMessage.decode(UnsafeRawBufferPointer(rebasing: input[..<count]))
  }

  /// The daemon's next message; nil if there is none.
  ///
  /// - Parameter fds: receives its descriptors.
  /// - Throws: `.closed` at the end; `.malformed` and `.otherVersion` if the connection must be closed.
  public func receiveServerMessage(fds: inout ReceivedFDs) throws(PresentProtocolError) -> ServerMessage? {
    guard let range = try nextMessage(&fds) else { return nil }
    return try unsafe ServerMessage.decode(UnsafeRawBufferPointer(rebasing: input[range]))
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

  /// The range of the next message in `input`; nil if there is none.
  private func nextMessage(_ fds: inout ReceivedFDs) throws(PresentProtocolError) -> Range<Int>? {
    if unread.isEmpty {
      guard let count = try receive(&fds) else { return nil }
      unread = 0..<count
    } else {
      // Descriptors belong to the packet's first message.
      fds = ReceivedFDs()
    }
    let packet = unsafe UnsafeRawBufferPointer(rebasing: input[unread])
    let byteCount = unsafe firstMessageByteCount(in: packet)
    let message = unread.prefix(byteCount)
    unread = unread.dropFirst(byteCount)
    return message
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
