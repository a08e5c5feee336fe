public import LinuxIO

/// One end of a client's connection: whole messages in and out.
///
/// Owned by one thread. Sending and receiving allocate nothing but what texts need.
@safe public final class PresentConnection {
  private let socket: UnixSocket
  private let output: UnsafeMutableRawBufferPointer
  private let input: UnsafeMutableRawBufferPointer
  /// How much of `output` is filled with messages that wait for `flush`.
  private var batchByteCount = 0
  /// What of the last packet has not been read yet.
  private var unread = 0..<0

  /// Takes over a connected SOCK_SEQPACKET socket and makes it nonblocking.
  public init(_ socket: consuming UnixSocket) throws(SystemError) {
    self.socket = socket
    // A batch, and behind it the message that does not fit into it any more.
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
  /// - Parameter timeoutMilliseconds: how long to wait while the daemon accepts nobody; 0 not at all.
  /// - Throws: a `SystemError` of `connect`: ENOENT or ECONNREFUSED where no daemon listens, EAGAIN after the time.
  public static func connect(
    _ path: String, timeoutMilliseconds: Int = 5000
  ) throws(SystemError) -> PresentConnection {
    try PresentConnection(UnixSocket.connect(path, .seqpacket, timeoutMilliseconds: timeoutMilliseconds))
  }

  /// The socket's descriptor, for an event loop; valid while this object lives.
  public var descriptor: Int32 { socket.fd.raw }

  /// Who is at the other end.
  public func peerCredentials() throws(SystemError) -> PeerCredentials { try socket.peerCredentials() }

  /// The supplementary groups of who is at the other end.
  public func peerGroups() -> [UInt32] { socket.peerGroups() }

  /// Sends a message to the daemon, with descriptors that stay the caller's.
  ///
  /// - Returns: false where the socket is full: nothing was sent.
  /// - Throws: `.closed` where the daemon is gone.
  public func send(_ message: ClientMessage, fds: [Int32] = []) throws(PresentProtocolError) -> Bool {
    try unsafe send(output, message.encode(into: output), fds)
  }

  /// Sends a message to the client at once, with descriptors that stay the caller's; after what `add` kept.
  ///
  /// - Returns: false where the socket is full: nothing was sent.
  /// - Throws: `.closed` where the client is gone.
  public func send(_ message: ServerMessage, fds: [Int32] = []) throws(PresentProtocolError) -> Bool {
    guard try flush() else { return false }
    return try unsafe send(output, message.encode(into: output), fds)
  }

  /// Keeps a message without descriptors for `flush`, which sends all that were kept in one packet.
  ///
  /// - Returns: false where the packet is full: the message is not kept.
  public func add(_ message: ServerMessage) -> Bool {
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: output[batchByteCount...])
    let byteCount = unsafe message.encode(into: room)
    guard batchByteCount + byteCount <= PresentLimits.messageByteCount else { return false }
    batchByteCount += byteCount
    return true
  }

  /// Sends what `add` kept.
  ///
  /// - Returns: false where the socket is full: the messages stay.
  /// - Throws: `.closed` where the client is gone.
  public func flush() throws(PresentProtocolError) -> Bool {
    if batchByteCount == 0 { return true }
    guard try unsafe send(output, batchByteCount, []) else { return false }
    batchByteCount = 0
    return true
  }

  /// Whether the last packet held more messages than were read: no readiness tells of those.
  public var hasUnread: Bool { !unread.isEmpty }

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

  /// Where the next message lies in `input`; nil where none has come.
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
