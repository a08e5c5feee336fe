import LinuxIO
import PresentProtocol

/// The messages that the daemon sends to one client. Those of a round of the loop go out in one packet, and those that
/// the full socket has not taken wait.
struct Outbox {
  private struct Outgoing {
    let message: ServerMessage
    let fd: SharedFD?
  }
  private let connection: PresentConnection
  private var waiting: [Outgoing] = []

  init(_ connection: PresentConnection) { self.connection = connection }

  /// How many messages the full socket has not taken.
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

  /// Sends the batch and what waits, the last of it as a new batch; false if the socket is full.
  mutating func sendWaiting() throws(PresentProtocolError) -> Bool {
    guard try connection.flush() else { return false }
    while let next = waiting.first {
      guard try take(next.message, next.fd) else { return false }
      waiting.removeFirst()
    }
    return true
  }

  /// False if the socket is full.
  private func take(_ message: ServerMessage, _ fd: SharedFD?) throws(PresentProtocolError) -> Bool {
    if let fd { return try connection.send(message, fds: [fd.raw]) }
    if connection.add(message) { return true }
    guard try connection.flush() else { return false }
    return connection.add(message)
  }
}
