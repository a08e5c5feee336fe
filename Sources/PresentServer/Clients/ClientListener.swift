import LinuxIO

/// A listening socket. It stops accepting while there are too few descriptors, until a client disconnects, and for some
/// milliseconds after many connections in a short time. Otherwise the readable socket would keep the loop busy.
final class ClientListener {
  private let socket: ServerSocket
  private let loop: EventLoop
  /// Closes connections whose user is not known yet.
  private let strangers: DescriptorAccount
  private var source: EventLoop.Source?
  /// Whether there are too few descriptors.
  private var isPaused = false
  private let clock: PresentClock
  private var pace = MessagePace.connections
  /// Ends a pause after many connections.
  private var timer: PresentTimer?
  private var isPausedByPace = false
  private var onClient: ((consuming UnixSocket) throws(SystemError) -> Void)?
  private var log: (String) -> Void = { _ in }

  var path: String { socket.path }
  let purpose: SocketPurpose

  init(
    _ socket: consuming ServerSocket, for purpose: SocketPurpose, loop: EventLoop, clock: PresentClock,
    closer: DescriptorCloser
  ) {
    self.socket = socket
    self.clock = clock
    self.purpose = purpose
    self.loop = loop
    strangers = DescriptorAccount(closer)
  }

  /// Starts accepting clients.
  ///
  /// - Parameter onClient: receives each client's connection.
  func start(
    log: @escaping (String) -> Void, onClient: @escaping (consuming UnixSocket) throws(SystemError) -> Void
  ) throws(SystemError) {
    self.log = log
    self.onClient = onClient
    source = try loop.add(socket.listener.fd.raw) { [unowned self] _ in accept() }
    timer = try clock.timer(on: loop) { [unowned self] in
      isPausedByPace = false
      watch()
    }
  }

  /// Stops accepting clients.
  func stop() {
    if let source = source.take() { loop.remove(source) }
    timer = nil
  }

  /// Resumes accepting after a client has disconnected.
  func clientLeft() {
    guard isPaused else { return }
    isPaused = false
    watch()
  }

  private func watch() {
    guard let source else { return }
    do { try loop.modify(source, isPaused || isPausedByPace ? [] : .readable) } catch { log("\(error)") }
  }

  private func accept() {
    // Bounded, so that frames are not delayed.
    for _ in 0..<16 {
      do throws(SystemError) {
        guard let client = try socket.listener.accept(for: strangers) else { return }
        try onClient?(client)
        if let until = pace.pause(at: clock.nowNanoseconds) {
          isPausedByPace = true
          timer?.arm(until)
          return watch()
        }
      } catch {
        if error.isShortage { return pause(error.description) }
        log("cannot accept a client: \(error)")
      }
    }
  }

  private func pause(_ why: String) {
    guard !isPaused else { return }
    isPaused = true
    log("no further clients accepted until one disconnects: \(why)")
    watch()
  }
}
