import LinuxIO
import PresentProtocol

/// The messages to one client. Those of an iteration of the loop are sent in one packet; those that do not fit into the
/// socket wait.
struct Outbox {
  private struct Outgoing {
    let message: ServerMessage
    let fd: SharedFD?
  }
  private let connection: PresentConnection
  private var waiting: [Outgoing] = []
  /// For messages with descriptors that the client has not read. The kernel limits those of all clients together.
  var descriptorLimit: Int
  /// Messages with descriptors since the client had read everything.
  private var sentDescriptors = 0
  /// Whether the first waiting message waits until the client has read, though the socket has room.
  private(set) var waitsForReading = false

  init(_ connection: PresentConnection, descriptorLimit: Int) {
    self.connection = connection
    self.descriptorLimit = descriptorLimit
  }

  /// The number of messages that wait for room in the socket.
  var waitingCount: Int { waiting.count }

  /// Whether messages wait for `sendBatch`.
  var hasBatch: Bool { connection.hasBatch }

  /// Sends a message with a descriptor at once, and adds one without to the batch.
  ///
  /// - Returns: false if the socket is full: the message waits for `sendWaiting`.
  mutating func add(_ message: ServerMessage, fd: SharedFD?) throws(PresentProtocolError) -> Bool {
    if waiting.isEmpty, try take(message, fd) { return true }
    waiting.append(Outgoing(message: message, fd: fd))
    return false
  }

  /// Sends the batch; false if the socket is full.
  func sendBatch() throws(PresentProtocolError) -> Bool { try connection.flush() }

  /// Sends the batch and the waiting messages, the last of them as a new batch; false if the socket is full.
  mutating func sendWaiting() throws(PresentProtocolError) -> Bool {
    guard try connection.flush() else { return false }
    while let next = waiting.first {
      guard try take(next.message, next.fd) else { return false }
      waiting.removeFirst()
    }
    return true
  }

  /// Sends a message; false if the socket is full.
  private mutating func take(_ message: ServerMessage, _ fd: SharedFD?) throws(PresentProtocolError) -> Bool {
    if let fd {
      if sentDescriptors >= descriptorLimit {
        waitsForReading = connection.hasUnreadAtPeer
        if waitsForReading { return false }
        sentDescriptors = 0
      }
      guard try connection.send(message, fds: [fd.raw]) else { return false }
      sentDescriptors += 1
      return true
    }
    if connection.add(message) { return true }
    guard try connection.flush() else { return false }
    return connection.add(message)
  }
}
