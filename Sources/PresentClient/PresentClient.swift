public import LinuxIO
public import PresentProtocol

/// Makes a SOCK_SEQPACKET connection without waiting, for a process that may not itself. Calls `done` once on the loop's
/// thread, at once or later.
public typealias DaemonConnector = (
  _ path: String, _ done: @escaping (consuming OpenedSocket) -> Void
) -> Void

/// A client of framepathd on the caller's event loop: a VM's backend, a container.
///
/// Owned by the loop's thread. Without a daemon it tries to connect ten times a second, later twice; after a refusal,
/// with growing pauses of up to 5 s. Connected and without traffic it costs nothing. Only `createBuffer` and
/// `importBuffer`, which wait at most 250 ms, and `deliverEvents` block. Events reach `onEvent` from the loop and from
/// `deliverEvents`, never from inside another call.
public final class PresentClient {
  /// The event handler, called on the loop's thread.
  public var onEvent: ((PresentEvent) -> Void)?
  /// The path of the daemon's socket.
  public let path: String

  let hello: Hello
  let loop: EventLoop
  private(set) var connection: PresentConnection?
  private var source: EventLoop.Source?
  private var isWelcomed = false
  private var isRunning = false
  var lastRequest: UInt64 = 0

  /// The outputs by scanout; nil before the first OUTPUT.
  var heads: [OutputDescription?]
  var buffers: [UInt32: BufferRecord] = [:]
  private var lastBufferID: UInt32 = 0
  var queue = SendQueue()
  /// Whether the last request for a buffer timed out.
  var isShortOfMemory = false

  private let connector: DaemonConnector?
  /// Whether the connector has been asked and has not answered.
  private var isConnecting = false
  private let deferred: DeferredEvents
  private var deferredSource: EventLoop.Source?
  private var attempts: ConnectAttempts
  private var retrySource: EventLoop.Source?

  /// A client of the daemon at `path`; `start` connects it.
  ///
  /// - Parameter connect: connects in place of this process; nil if it may itself.
  public init(
    loop: EventLoop, path: String = PresentSocket.defaultPath(), hello: Hello, connect: DaemonConnector? = nil
  ) throws(SystemError) {
    self.loop = loop
    connector = connect
    self.path = path
    self.hello = hello
    heads = Array(repeating: nil, count: hello.scanoutCount)
    deferred = try DeferredEvents()
    attempts = try ConnectAttempts()
    buffers.reserveCapacity(64)
  }

  deinit { stop() }

  /// Connects now or, without a daemon, as soon as there is one.
  ///
  /// - Throws: if a descriptor cannot be added to the loop.
  public func start() throws(SystemError) {
    guard !isRunning else { return }
    isRunning = true
    deferredSource = try loop.add(deferred.descriptor) { [weak self] _ in
      self?.deferred.drain()
      self?.deliverDeferred()
    }
    retrySource = try loop.add(attempts.timer.fd.raw) { [weak self] _ in
      self?.attempts.timer.drain()
      self?.tryConnect()
    }
    tryConnect()
  }

  /// Disconnects for good; the daemon frees all resources of the client. No event follows.
  public func stop() {
    isRunning = false
    attempts.timer.disarm()
    if let source = deferredSource.take() { loop.remove(source) }
    if let source = retrySource.take() { loop.remove(source) }
    disconnect()
    deferred.removeAll()
  }

  /// Whether WELCOME was received.
  public var isConnected: Bool { isWelcomed }

  /// Whether an attempt to connect, or a HELLO, is neither accepted nor refused yet.
  public var isUnanswered: Bool { isConnecting || connection != nil && !isWelcomed }

  /// Called when an attempt to connect has failed, with the reason. `isNobodyListening` means that there is no daemon.
  public var onConnectFailure: ((SystemError) -> Void)?

  /// The output of a scanout; nil before its first OUTPUT.
  public func output(_ scanout: Int) -> OutputDescription? { heads.indices.contains(scanout) ? heads[scanout] : nil }

  /// An id for a new buffer.
  func nextBufferID() -> UInt32 {
    repeat { lastBufferID &+= 1 } while lastBufferID == 0 || buffers[lastBufferID] != nil
    return lastBufferID
  }

  // MARK: - Connecting

  private func tryConnect() {
    guard isRunning, connection == nil, !isConnecting else { return }
    if let connector {
      isConnecting = true
      return connector(path) { [weak self] in self?.connected($0) }
    }
    do throws(SystemError) {
      connected(.open(try UnixSocket.connect(path, .seqpacket, timeoutMilliseconds: 0)))
    } catch { connected(.failed(error)) }
  }

  /// The end of an attempt. The connection of a client that was stopped meanwhile is closed.
  private func connected(_ result: consuming OpenedSocket) {
    isConnecting = false
    guard isRunning, connection == nil else { return }
    do {
      let fresh = try PresentConnection(result.get())
      guard try fresh.send(.hello(hello)) else { return scheduleRetry() }
      source = try loop.add(fresh.descriptor) { [weak self] ready in self?.handle(ready) }
      connection = fresh
    } catch {
      if let error = error as? SystemError { onConnectFailure?(error) }
      scheduleRetry()
    }
  }

  private func scheduleRetry() {
    if isRunning { attempts.scheduleNext() }
  }

  private func disconnect() {
    if let source = source.take() { loop.remove(source) }
    connection = nil
    isWelcomed = false
    queue.removeAll()
    isShortOfMemory = false
    buffers.removeAll(keepingCapacity: true)
    for index in heads.indices { heads[index] = nil }
  }

  /// Ends the connection; the loop delivers the event after those that wait.
  func lose(_ why: String) {
    guard connection != nil else { return }
    // A client without a WELCOME has no state to lose.
    if isWelcomed { post(.lost(why)) }
    disconnect()
    scheduleRetry()
  }

  // MARK: - Receiving

  private func handle(_ ready: Readiness) {
    deliverDeferred()
    if ready.contains(.writable) { flush() }
    // A bounded number of reads, so that the loop's other descriptors get their turn.
    var count = 0
    receiving: while let connection, count < 64 || connection.hasUnread {
      count += 1
      var fds = ReceivedFDs()
      do throws(PresentProtocolError) {
        guard let message = try connection.receiveServerMessage(fds: &fds) else { break }
        guard let event = accept(message) else { continue }
        // Events that arose inside the last event's handler come first.
        deliverDeferred()
        onEvent?(event)
        // A flip and its release usually come alone, and the loop reports further messages.
        switch event {
        case .frameDone, .released, .regionNews: if !connection.hasUnread { break receiving }
        default: break
        }
      } catch {
        noteBreach(error)
        lose(error.description)
      }
    }
    deliverDeferred()
  }

  /// A daemon with another protocol version has refused the client.
  private func noteBreach(_ error: PresentProtocolError) {
    let code: PresentErrorCode
    switch error {
    case .otherVersion: code = .version
    case .malformed: code = .malformed
    case .closed, .system: return
    }
    attempts.endedByError()
    if !isWelcomed, let event = attempts.refused(ErrorMessage(code: code, text: error.description)) { post(event) }
  }

  /// Processes a message; returns the event for the owner, if any.
  func accept(_ message: ServerMessage) -> PresentEvent? {
    switch message {
    case .welcome(let welcome):
      isWelcomed = true
      attempts.welcomed()
      return .welcomed(welcome)
    case .output(let output):
      let index = Int(output.scanout)
      guard heads.indices.contains(index) else { return nil }
      let isNew = heads[index]?.generation != output.generation
      heads[index] = output
      if isNew { for (id, record) in buffers where record.scanout == index { buffers[id] = nil } }
      return .output(output, buffersLost: isNew)
    case .frameDone(let done): return .frameDone(done)
    case .released(let released):
      // A release that crossed a newer present of the same buffer is void.
      guard let record = buffers[released.bufferID], released.frame >= record.lastFrame else { return nil }
      return .released(bufferID: released.bufferID, scanout: record.scanout)
    case .error(let message, request: 0):
      if message.code.isFatal { attempts.endedByError() }
      return isWelcomed ? .error(message) : attempts.refused(message)
    case .buffer(let late, request: _):
      // The answer to a request that timed out.
      enqueue(.destroyBuffer(late.bufferID))
      return nil
    case .regionNews(let scanout): return .regionNews(scanout: Int(scanout))
    case .deviceSettings(let settings): return .deviceSettings(settings)
    case .error, .statusReply, .snapshotReply, .done, .leased, .leaseEnded, .changed: return nil
    }
  }

  // MARK: - Delivering

  /// Passes an event to the loop.
  func post(_ event: PresentEvent) { deferred.add(event) }

  func deliverDeferred() { deferred.deliver { onEvent?($0) } }

  // MARK: - Sending

  /// Sends a message, or queues it until the socket has room; never blocks.
  ///
  /// - Parameter fds: the descriptors of the message.
  func enqueue(_ message: ClientMessage, fds: [SharedFD] = []) {
    guard let connection else { return }
    do throws(PresentProtocolError) {
      if queue.isEmpty, try connection.send(message, fds: fds.map(\.raw)) { return }
    } catch {
      return lose(error.description)
    }
    let wasEmpty = queue.isEmpty
    switch queue.add(message, fds: fds) {
    case .queued: break
    case .superseded(let old):
      post(.frameDone(FrameDone(scanout: old.scanout, frame: old.frame, outcome: .superseded)))
      if case .present(let new) = message, old.bufferID != new.bufferID, let record = buffers[old.bufferID],
        record.lastFrame == old.frame
      {
        post(.released(bufferID: old.bufferID, scanout: record.scanout))
      }
    case .full: return lose("framepathd does not read its messages")
    }
    if wasEmpty { watchWritable(true) }
  }

  /// Sends queued messages until the socket is full.
  func flush() {
    guard let connection else { return }
    do throws(PresentProtocolError) {
      while let (message, fds) = queue.first {
        guard try connection.send(message, fds: fds.map(\.raw)) else { return }
        queue.removeFirst()
      }
    } catch {
      return lose(error.description)
    }
    watchWritable(false)
  }

  private func watchWritable(_ on: Bool) {
    guard let source else { return }
    do { try loop.modify(source, on ? [.readable, .writable] : .readable) } catch { lose(error.description) }
  }
}
