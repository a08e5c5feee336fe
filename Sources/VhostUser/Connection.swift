import LinuxIO

/// The frontend's socket: reassembles messages and sends replies. Never blocks.
@safe final class Connection {
  /// The result of `receive`.
  enum Received {
    /// A whole message, in `header`, `payload` and `fds`.
    case message
    /// No whole message yet.
    case wouldBlock
    /// The frontend closed the connection between two messages.
    case closed
  }

  /// The header of the last message.
  private(set) var header = MessageHeader(request: 0, payloadByteCount: 0)
  /// The descriptors of the last message; those that are not taken are closed.
  var fds = ReceivedFDs()

  let socket: UnixSocket
  private let buffer: UnsafeMutableRawBufferPointer
  private var filled = 0

  init(_ socket: consuming UnixSocket) throws(SystemError) {
    try socket.fd.setNonblocking()
    self.socket = socket
    unsafe buffer = .allocate(
      byteCount: MessageHeader.byteCount + MessageHeader.maxPayloadByteCount, alignment: 8)
    unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { unsafe buffer.deallocate() }

  /// Parses the payload of the last message.
  func parse<T>(_ body: (RawSpan) -> T?) -> T? {
    let start = MessageHeader.byteCount
    // SAFETY: `header` was checked against the buffer's length; the buffer lives as long as this object.
    let bytes = unsafe RawSpan(
      _unsafeBytes: UnsafeRawBufferPointer(buffer)[start..<start + Int(header.payloadByteCount)])
    return body(bytes)
  }

  /// Continues to receive.
  ///
  /// Header and payload are received separately, so that a message never takes bytes or descriptors of the next one.
  func receive() throws(VhostUserError) -> Received {
    if filled == 0 { fds = ReceivedFDs() }
    if filled < MessageHeader.byteCount {
      let received = try fill(to: MessageHeader.byteCount)
      guard received == .message else { return received }
      // SAFETY: the buffer is longer than a header, and initialized.
      let bytes = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer))
      guard let header = MessageHeader(bytes) else { return .wouldBlock }
      try header.validate()
      self.header = header
    }
    let received = try fill(to: MessageHeader.byteCount + Int(header.payloadByteCount))
    if received == .message { filled = 0 }
    return received
  }

  /// Receives until there are `target` bytes.
  private func fill(to target: Int) throws(VhostUserError) -> Received {
    while filled < target {
      // SAFETY: `target` is at most the buffer's length: `validate` has seen the header.
      let space = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<target])
      var received = ReceivedFDs()
      let result: ReceiveResult
      do throws(SystemError) {
        result = try unsafe socket.receive(into: space, fds: &received, wait: false)
      } catch {
        throw .system(error)
      }
      switch result {
      case .wouldBlock: return .wouldBlock
      case .truncated: throw .misplacedFDs
      case .closed:
        guard filled == 0 else { throw .truncated(receivedByteCount: filled) }
        return .closed
      case .bytes(let count):
        if received.count > 0 {
          guard filled == 0 else { throw .misplacedFDs }
          fds = received
        }
        filled += count
      }
    }
    return .message
  }

  /// Sends the reply to the last message.
  func reply(_ payload: [UInt8]) throws(VhostUserError) {
    let flags = MessageHeader.version | MessageHeader.replyFlag
    let bytes = MessageHeader(request: header.request, flags: flags, payloadByteCount: payload.count).encoded(payload)
    let sent: Int?
    do throws(SystemError) {
      sent = try socket.sendAll(bytes)
    } catch {
      throw .system(error)
    }
    // A frontend waits for each reply: if the socket is full, it does not read.
    guard sent == bytes.count else { throw .frontendNotReading }
  }

  /// Sends the reply to the last message.
  func reply(_ number: UInt64) throws(VhostUserError) {
    var payload: [UInt8] = []
    payload.append(littleEndian: number)
    try reply(payload)
  }
}

extension UnixSocket {
  /// Sends an array's bytes.
  borrowing func sendAll(_ bytes: [UInt8]) throws(SystemError) -> Int? {
    // SAFETY: the buffer is used inside the closure only.
    let result: Result<Int?, SystemError> = unsafe bytes.withUnsafeBytes { buffer in
      do throws(SystemError) { return .success(try unsafe send(buffer)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}
