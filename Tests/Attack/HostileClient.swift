import GraphicsMemory
import LinuxIO
import PresentProtocol
import Scanout

/// A connection that sends what an attack wants, as fast as the daemon takes it.
final class HostileClient {
  let connection: PresentConnection
  /// The outputs of its scanouts.
  private(set) var outputs: [OutputDescription] = []
  private var frame: UInt64 = 0
  private var request: UInt64 = 0

  /// Connects, says HELLO and waits for its scanouts.
  init(
    _ stage: AttackStage, _ name: String, scanouts: Int = 1, output: String = AttackStage.output
  ) throws {
    do {
      connection = try PresentConnection.connect(stage.socket, timeoutMilliseconds: 1000)
    } catch {
      HostProcess.sleep(milliseconds: 5)
      throw Ended()
    }
    let outputs = Array(repeating: output, count: scanouts)
    try insist(.hello(Hello(kind: .container, name: name, scanoutCount: scanouts, outputs: outputs)))
    let deadline = monotonicNanoseconds() + 5_000_000_000
    while self.outputs.count < scanouts, monotonicNanoseconds() < deadline { try receive(milliseconds: 100) }
    guard self.outputs.count >= scanouts else { throw Ended() }
  }

  /// Sends a message; false if the socket is full.
  @discardableResult
  func send(_ message: ClientMessage, _ fds: [Int32] = []) throws -> Bool {
    do {
      return try connection.send(message, fds: fds)
    } catch {
      // What the daemon has sent is read, or the connection's end would be a reset for it.
      try? receive(milliseconds: 0)
      throw Ended()
    }
  }

  /// Sends a message once there is room, and reads meanwhile.
  func insist(_ message: ClientMessage, _ fds: [Int32] = []) throws {
    while try !send(message, fds) {
      _ = try waitUntilReady(connection.descriptor, .writable, timeoutMilliseconds: 20)
      try receive(milliseconds: 0)
    }
  }

  /// Reads what there is, or what comes first in that time; descriptors are closed.
  func receive(milliseconds: Int32) throws {
    if milliseconds > 0 {
      _ = try waitUntilReady(connection.descriptor, .readable, timeoutMilliseconds: milliseconds)
    }
    for _ in 0..<256 {
      var fds = ReceivedFDs()
      guard let message = try? receiveOne(&fds) else { throw Ended() }
      guard case .some(let received) = message else { return }
      if case .output(let description) = received {
        outputs.removeAll { $0.scanout == description.scanout }
        outputs.append(description)
      }
    }
  }

  private func receiveOne(_ fds: inout ReceivedFDs) throws -> ServerMessage?? {
    .some(try connection.receiveServerMessage(fds: &fds))
  }

  // MARK: - Messages

  /// The generation of a scanout.
  func generation(_ scanout: Int) -> UInt32 { outputs.first { $0.scanout == UInt32(scanout) }?.generation ?? 1 }

  /// A number for a request.
  func nextRequest() -> UInt64 {
    request += 1
    return request
  }

  /// CREATE_BUFFER.
  func buffer(_ id: UInt32, scanout: Int = 0, width: Int, height: Int, usage: BufferUsage = .frame) -> ClientMessage {
    .createBuffer(
      CreateBuffer(
        bufferID: id, scanout: UInt32(scanout), generation: generation(scanout), width: UInt32(width),
        height: UInt32(height), format: usage == .cursor ? .argb8888 : .xrgb8888, usage: usage), request: nextRequest())
  }

  /// IMPORT_BUFFER of linear memory.
  func imported(_ id: UInt32, width: Int, height: Int, ranges: Int) -> ClientMessage? {
    FrameLayout(width: width, height: height, strideBytes: width * 4, format: .xrgb8888).map { layout in
      .importBuffer(
        ImportBuffer(
          bufferID: id, scanout: 0, generation: generation(0), layout: layout, modifier: 0, memoryKind: .memfd,
          rangeCount: ranges), request: nextRequest())
    }
  }

  /// The next PRESENT.
  func present(
    _ id: UInt32, scanout: Int = 0, width: Int, height: Int, damage: Damage = .full, copies: UInt32 = 0,
    copiedBytes: UInt64 = 0, isFenced: Bool = false
  ) -> ClientMessage {
    frame += 1
    return .present(
      Present(
        scanout: UInt32(scanout), generation: generation(scanout), frame: frame, bufferID: id,
        source: Rect(width: width, height: height), damage: damage, path: .copy, copies: copies,
        copiedBytes: copiedBytes, hasAcquireFence: isFenced))
  }
}

/// A connection on which an attack sends any bytes.
final class HostileSocket {
  let socket: UnixSocket

  init(_ stage: AttackStage) throws {
    socket = try HostileSocket.connect(stage)
    try socket.fd.setNonblocking()
  }

  private static func connect(_ stage: AttackStage) throws -> UnixSocket {
    do {
      return try UnixSocket.connect(stage.socket, .seqpacket, timeoutMilliseconds: 1000)
    } catch {
      HostProcess.sleep(milliseconds: 5)
      throw Ended()
    }
  }

  /// Sends a packet; false if the socket is full.
  @discardableResult
  func send(_ bytes: [UInt8], _ fds: [Int32] = []) throws -> Bool {
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(SystemError) in try socket.send(buffer, fds: fds) }
    }
    guard case .success(let sent) = result else { throw Ended() }
    return sent != nil
  }

  /// Reads what there is.
  func drain() throws {
    var bytes = [UInt8](repeating: 0, count: 4096)
    var fds = ReceivedFDs()
    for _ in 0..<64 {
      let result = bytes.withUnsafeMutableBytes { buffer in
        Result { () throws(SystemError) in try socket.receive(into: buffer, fds: &fds, wait: false) }
      }
      switch try? result.get() {
      case .bytes?: continue
      case .wouldBlock?, .truncated?: return
      case .closed?, nil: throw Ended()
      }
    }
  }
}
