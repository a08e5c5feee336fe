import DaemonSettings
import LinuxIO
import PresentServer
import Sandbox

/// The daemon's side of its assistant, which is started before the daemon gives up its rights.
final class DaemonAssistant {
  /// The configuration file.
  let path: String
  private let loop: EventLoop
  private let socket: UnixSocket
  private var source: EventLoop.Source?
  private var lastSerial: UInt8 = 0
  /// What is called with the answer to a request; an older request of the same kind is forgotten.
  private var onConfiguration: (serial: UInt8, body: (Result<[SettingChange], any Error>) -> Void)?
  private var onAccess: (serial: UInt8, body: (Result<Void, any Error>) -> Void)?

  /// How long the first reading of the file may take, in milliseconds.
  private static let firstReadMilliseconds: Int32 = 11_000

  /// Starts it for a configuration file.
  init(_ path: String, loop: EventLoop) throws {
    self.path = path
    self.loop = loop
    let pair = try UnixSocket.pair(.seqpacket)
    var command = try OwnProgram.command(adding: ["--assistant"])
    command.descriptors = [AssistantProcess.descriptor: pair.second.fd.raw]
    // The sandbox forbids to kill it. It ends at the end of the socket.
    let process = try ChildProcess(command)
    process.leaveRunning()
    socket = pair.first
    // The daemon never waits for it.
    try socket.fd.setNonblocking()
    source = try loop.add(socket.fd.raw) { [unowned self] _ in receive() }
  }

  deinit { if let source { loop.remove(source) } }

  /// Tells it the sockets' paths, once.
  func setPaths(_ paths: [String]) throws { try send(.paths(paths)) }

  /// Reads the file and waits for the result.
  func read() throws -> [SettingChange] {
    var result: Result<[SettingChange], any Error>?
    reload { result = $0 }
    let deadline = monotonicNanoseconds() + UInt64(DaemonAssistant.firstReadMilliseconds) * 1_000_000
    while result == nil, monotonicNanoseconds() < deadline {
      let ready = try waitUntilReady(socket.fd.raw, .readable, timeoutMilliseconds: 100)
      if !ready.isEmpty { receive() }
    }
    guard let result else { throw ConfigurationError(description: "\(path) was not read within 10 s") }
    return try result.get()
  }

  /// Reads the file without blocking the loop; the result of an earlier call that has not come yet is dropped.
  ///
  /// - Parameter body: called with the settings or the error.
  func reload(_ body: @escaping (Result<[SettingChange], any Error>) -> Void) {
    lastSerial &+= 1
    onConfiguration = (lastSerial, body)
    do { try send(.configuration(serial: lastSerial)) } catch { fail(error) }
  }

  /// Changes who may connect to the sockets, without blocking the loop.
  func setAccess(
    frames: SocketAccess, control: SocketAccess, _ body: @escaping (Result<Void, any Error>) -> Void
  ) {
    lastSerial &+= 1
    onAccess = (lastSerial, body)
    do { try send(.access(serial: lastSerial, frames: frames, control: control)) } catch { fail(error) }
  }

  private func send(_ request: AssistantRequest) throws {
    let bytes = request.bytes
    // The loop has seen its end, and removed the source.
    if source == nil { throw DaemonAssistant.ended }
    let sent: Int?
    do {
      sent = try bytes.withUnsafeBytes { try socket.send($0) }
    } catch let error as SystemError where error.isDisconnection {
      throw DaemonAssistant.ended
    }
    guard sent == bytes.count else {
      throw ConfigurationError(description: "framepathd's assistant does not read its requests")
    }
  }

  private static var ended: any Error {
    ConfigurationError(description: "framepathd's assistant has ended: start framepathd again")
  }

  private func receive() {
    var buffer = [UInt8](repeating: 0, count: AssistantRequest.mostBytes)
    var fds = ReceivedFDs()
    do {
      let result = try buffer.withUnsafeMutableBytes { try socket.receive(into: $0, fds: &fds, wait: false) }
      switch result {
      case .wouldBlock, .bytes(0): return
      case .closed, .truncated: throw DaemonAssistant.ended
      case .bytes(let count): take(buffer[0], String(decoding: buffer[1..<count], as: UTF8.self), &fds)
      }
    } catch {
      if let source = source.take() { loop.remove(source) }
      fail(error)
    }
  }

  private func take(_ serial: UInt8, _ error: String, _ fds: inout ReceivedFDs) {
    if let waiting = onConfiguration, waiting.serial == serial {
      onConfiguration = nil
      guard error.isEmpty, let fd = fds.take(0) else {
        return waiting.body(.failure(ConfigurationError(description: error)))
      }
      let records = SharedFD(fd)
      waiting.body(Result { try ConfigurationFile.changes(of: records, reader: "framepathd-config") })
    } else if let waiting = onAccess, waiting.serial == serial {
      onAccess = nil
      waiting.body(error.isEmpty ? .success(()) : .failure(ConfigurationError(description: error)))
    }
  }

  private func fail(_ error: any Error) {
    if let waiting = onConfiguration.take() { waiting.body(.failure(error)) }
    if let waiting = onAccess.take() { waiting.body(.failure(error)) }
  }
}
