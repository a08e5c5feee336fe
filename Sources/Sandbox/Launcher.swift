public import LinuxIO

/// Starts a worker, opens what it may not open itself, and outlives it.
///
/// It runs outside of the worker's sandbox and reads nothing from outside but its command line: of a worker's requests it
/// reads one byte, of all sockets nothing. It owns the frontend's socket, so that a successor of the worker could take
/// it over. Between events it sleeps.
public final class Launcher {
  /// Where the frontend connects.
  public enum Frontend: Sendable {
    /// A socket file with this mode, which is removed at the end.
    case path(String, mode: UInt32)
    /// An inherited descriptor.
    case descriptor(Int32)

    /// As a command line says it: one of both.
    public init(path: String?, mode: UInt32 = 0o600, descriptor: Int32?) {
      self = path.map { .path($0, mode: mode) } ?? .descriptor(descriptor ?? 0)
    }
  }

  /// What to do for the worker.
  public struct Plan: Sendable {
    /// The daemon's socket: the only one to which the worker is connected.
    public var daemonPath: String
    /// Where the frontend connects.
    public var frontend: Frontend
    /// Whether the worker accepts connections itself. Otherwise it gets the first one, and the socket file is removed.
    public var givesListener = false
    /// The path of a link to memory that the worker shows; nil for none.
    public var linkPath: String?
    /// Arguments for the worker besides those of the launcher.
    public var workerArguments: [String] = []

    /// A plan.
    public init(daemonPath: String, frontend: Frontend) {
      self.daemonPath = daemonPath
      self.frontend = frontend
    }
  }

  /// How often a worker that crashed before it had a frontend is replaced.
  public static let restartLimit = 3

  private let plan: Plan
  private let log: (String) -> Void
  private let loop: EventLoop
  private let signals: SignalFD
  private let descriptors = DescriptorAccount(DescriptorCloser())
  private var worker: Worker?
  private var listener: UnixSocket?
  private var listenerSource: EventLoop.Source?
  /// The frontend's connection: held, so that the frontend sees no end of it while there is a worker or its successor.
  private var connection: SharedFD?
  /// The memory that `plan.linkPath` shows.
  private var linked: SharedFD?
  private var isServing = false
  private var isEnding = false
  private var restartCount = 0
  private var hasFailed = false
  private var status: Int32 = 1

  /// A launcher that logs by `log`. Call it before any other thread starts.
  public init(_ plan: Plan, log: @escaping (String) -> Void) throws(SystemError) {
    self.plan = plan
    self.log = log
    signals = try SignalFD(SignalFD.terminationSignals)
    loop = try EventLoop()
    if case .descriptor(let number) = plan.frontend {
      let fd = OwnedFD(taking: number)
      try fd.setCloseOnExec()
      connection = SharedFD(fd)
    }
  }

  /// Listens now instead of at the worker's request, so that a path in use ends the program before there is a worker.
  public func listen() throws(SystemError) {
    guard listener == nil, case .path(let path, let mode) = plan.frontend else { return }
    let socket = try UnixSocket.listenReplacing(path, mode: mode)
    try socket.fd.setNonblocking()
    listener = consume socket
  }

  /// Runs a worker to its end, and another one if it crashes before it has a frontend.
  ///
  /// - Returns: the worker's exit status; 128 and the signal's number if a signal ended it.
  public func run() throws(SystemError) -> Int32 {
    defer { close() }
    try start()
    let source = try loop.add(signals.fd.raw) { [unowned self] _ in
      guard signals.next() != nil else { return }
      isEnding = true
      worker?.process.terminate()
    }
    defer { loop.remove(source) }
    try loop.run()
    return status
  }

  private func start() throws(SystemError) {
    let worker = try Worker(loop: loop, adding: plan.workerArguments)
    self.worker = worker
    try worker.watch(
      answer: { [unowned self] request, fd in answer(request, fd) }, end: { [unowned self] in ended() }, descriptors)
  }

  private func close() {
    worker?.unwatch()
    worker = nil
    stopListening()
    if let path = plan.linkPath { removeFile(path) }
  }

  private func stopListening() {
    if let source = listenerSource.take() { loop.remove(source) }
    guard let socket = listener.take() else { return }
    if case .path(let path, _) = plan.frontend { removeFile(path) }
    _ = consume socket
  }

  // MARK: - Requests

  private func answer(_ request: WorkerRequest, _ fd: SharedFD?) {
    switch request {
    case .daemon:
      worker?.answer { () throws(SystemError) in
        try UnixSocket.connect(plan.daemonPath, .seqpacket, timeoutMilliseconds: 0).fd.duplicate()
      }
    case .frontend:
      do throws(SystemError) { try giveFrontend() } catch { fail(error) }
    case .serving: isServing = true
    case .link:
      guard let path = plan.linkPath, let fd else { return }
      worker?.answer { () throws(SystemError) in
        try LinuxFile.replaceLink(path, target: "/proc/\(currentProcessID())/fd/\(fd.raw)")
        linked = fd
        return nil
      }
    }
  }

  private func giveFrontend() throws(SystemError) {
    if let connection { return hand(over: connection) }
    try listen()
    guard let number = listener?.fd.raw else { return }
    if plan.givesListener {
      worker?.give(number)
    } else if listenerSource == nil {
      listenerSource = try loop.add(number) { [unowned self] _ in accept() }
    }
  }

  private func accept() {
    do throws(SystemError) {
      guard let socket = try listener?.accept() else { return }
      let connection = SharedFD(try socket.fd.duplicate())
      self.connection = connection
      stopListening()
      hand(over: connection)
    } catch { fail(error) }
  }

  private func hand(over connection: SharedFD) {
    isServing = isServing || !plan.givesListener
    worker?.give(connection.raw)
  }

  /// An error of the launcher itself.
  private func fail(_ error: SystemError) {
    log("error: \(error)")
    isEnding = true
    status = 1
    hasFailed = true
    worker?.process.terminate()
  }

  // MARK: - The end

  private func ended() {
    guard let worker, let exit = worker.process.waitForExit(timeoutMilliseconds: 0) else { return }
    // What it asked for before its end may not be read yet.
    isServing = worker.hasSaidServing(descriptors) || isServing
    worker.unwatch()
    let violation = worker.violation()
    self.worker = nil
    switch exit {
    case .status(let code):
      status = hasFailed ? 1 : code
      return loop.stop()
    case .signal(let number):
      // One that was told to end before it could handle that has ended as it should.
      status = isEnding && number == 15 && !hasFailed ? 0 : 128 + number
      if isEnding && violation == nil { return loop.stop() }
      log("error: the worker was ended by \(violation ?? Launcher.name(of: number))")
    }
    guard !isEnding, !isServing, restartCount < Launcher.restartLimit else { return loop.stop() }
    restartCount += 1
    log("warning: starting another worker (\(restartCount) of \(Launcher.restartLimit))")
    if let source = listenerSource.take() { loop.remove(source) }
    do throws(SystemError) { try start() } catch {
      log("error: \(error)")
      status = 1
      loop.stop()
    }
  }

  /// A signal in words.
  private static func name(of signal: Int32) -> String {
    let names: [Int32: String] = [
      4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV",
      31: "its sandbox: SIGSYS",
    ]
    return "signal \(signal)" + (names[signal].map { " (\($0))" } ?? "")
  }
}
