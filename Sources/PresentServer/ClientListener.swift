import LinuxIO

/// The listening socket. It stops accepting while there are too many clients or too few descriptors, until a client
/// leaves: a listener that is always ready would keep the loop busy.
final class ClientListener {
  private let socket: ServerSocket
  private let loop: EventLoop
  private var source: EventLoop.Source?
  private var isPaused = false
  private var onClient: ((consuming UnixSocket) throws(SystemError) -> Void)?
  private var objection: () -> String? = { nil }
  private var log: (String) -> Void = { _ in }

  /// Where clients connect.
  var path: String { socket.path }

  init(_ socket: consuming ServerSocket, loop: EventLoop) {
    self.socket = socket
    self.loop = loop
  }

  /// Begins to accept clients.
  ///
  /// - Parameters:
  ///   - objection: why no further client can be accepted now; nil where one can.
  ///   - onClient: takes a client's connection.
  func start(
    log: @escaping (String) -> Void, objection: @escaping () -> String?,
    onClient: @escaping (consuming UnixSocket) throws(SystemError) -> Void
  ) throws(SystemError) {
    self.log = log
    self.objection = objection
    self.onClient = onClient
    source = try loop.add(socket.listener.fd.raw) { [unowned self] _ in accept() }
  }

  /// Accepts no further client.
  func stop() { if let source = source.take() { loop.remove(source) } }

  /// A client has left: there is room again.
  func clientLeft() {
    guard isPaused, let source else { return }
    isPaused = false
    do { try loop.modify(source, .readable) } catch { log("\(error)") }
  }

  private func accept() {
    // A bounded number, so that frames get their turn.
    for _ in 0..<16 {
      if let why = objection() { return pause(why) }
      do throws(SystemError) {
        guard let client = try socket.listener.accept() else { return }
        try onClient?(client)
      } catch {
        if error.isShortage { return pause(error.description) }
        log("a client could not be accepted: \(error)")
      }
    }
  }

  private func pause(_ why: String) {
    guard !isPaused, let source else { return }
    isPaused = true
    log("no further clients until one leaves: \(why)")
    do { try loop.modify(source, []) } catch { log("\(error)") }
  }
}
