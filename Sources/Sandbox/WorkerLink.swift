import CSandbox
import Glibc
public import LinuxIO

/// A worker's side of its launcher, over descriptors that it has from its start.
///
/// Owned by the worker's thread. The launcher is trusted, but it may be stopped, or kept from running by others: once a
/// loop runs, no call waits for it. Requests are answered in their order.
public final class WorkerLink {
  /// What is called with the socket that a request brings, or with the launcher's error.
  public typealias Connected = (consuming OpenedSocket) -> Void

  private let requests: UnixSocket
  private let frontend: UnixSocket
  private let report: OwnedFD
  private var loop: EventLoop?
  private var source: EventLoop.Source?
  private var hasSaidServing = false
  /// The requests without an answer, the oldest first.
  private var waiting: [Waiting] = []

  private enum Waiting {
    case daemon(path: String, Connected)
    case link((SystemError?) -> Void)

    /// What the launcher calls for it, for errors.
    var call: String {
      switch self {
      case .daemon: "connect"
      case .link: "symlink"
      }
    }

    var subject: String {
      switch self {
      case .daemon(let path, _): path
      case .link: "a link"
      }
    }
  }

  /// Takes the descriptors of a worker that `launcher` has started, and closes all others but the standard ones.
  ///
  /// From now on the worker is killed when its launcher ends, however that happens.
  /// - Throws: ESRCH if the launcher has ended already; EBADF without the descriptors.
  public init(launcher: Int32) throws(SystemError) {
    for number in [WorkerDescriptor.requests, WorkerDescriptor.frontend, WorkerDescriptor.report] {
      try check("fcntl(F_SETFD)", "descriptor \(number)") { fcntl(number, F_SETFD, FD_CLOEXEC) }
    }
    requests = UnixSocket(taking: OwnedFD(taking: WorkerDescriptor.requests))
    frontend = UnixSocket(taking: OwnedFD(taking: WorkerDescriptor.frontend))
    report = OwnedFD(taking: WorkerDescriptor.report)
    try requests.fd.setNonblocking()
    try check("close_range") { csandbox_close_from(WorkerDescriptor.firstForeign) }
    let hasEnded = try check("prctl(PR_SET_PDEATHSIG)") { csandbox_end_with_parent(launcher, SIGKILL) }
    if hasEnded != 0 { throw SystemError(call: "launcher", code: ESRCH, subject: "\(launcher)") }
  }

  deinit { if let source { loop?.remove(source) } }

  /// Takes the launcher's answers from a loop. Before the first request.
  public func attach(to loop: EventLoop) throws(SystemError) {
    self.loop = loop
    source = try loop.add(requests.fd.raw) { [unowned self] _ in takeAnswers() }
  }

  /// Applies a policy to this process; the launcher logs a violation. Call it before any other thread starts.
  ///
  /// - Returns: what the kernel does not restrict, for the log; nil if nothing is missing.
  public func enter(_ policy: SandboxPolicy) throws(SandboxError) -> String? {
    let result = try Sandbox.giveUpRights(policy)
    try Sandbox.filterCalls(policy, reportTo: report.raw, prefix: "its sandbox, which does not allow the")
    return result.shortcoming
  }

  /// Asks for a new connection to the daemon.
  ///
  /// - Parameters:
  ///   - path: the daemon's socket, for errors; the launcher knows it.
  ///   - done: called once, from here or from the loop, with the socket or the launcher's error of `connect`.
  public func connectDaemon(_ path: String, _ done: @escaping Connected) {
    do throws(SystemError) {
      try send(.daemon, [])
      waiting.append(.daemon(path: path, done))
    } catch { done(.failed(error)) }
  }

  /// Has the launcher show memory at its link.
  ///
  /// - Parameter done: called once, from here or from the loop; with nil when the link is there.
  public func link(to memory: Int32, _ done: @escaping (SystemError?) -> Void) {
    do throws(SystemError) {
      try send(.link, [memory])
      waiting.append(.link(done))
    } catch { done(error) }
  }

  /// Tells the launcher that clients depend on this process: no other one replaces it after a crash.
  public func isServing() throws(SystemError) {
    if hasSaidServing { return }
    try send(.serving, [])
    hasSaidServing = true
  }

  /// Asks for the frontend's socket, which arrives at `frontendDescriptor`.
  public func requestFrontend() throws(SystemError) { try send(.frontend, []) }

  /// Readable once the frontend's socket is there.
  public var frontendDescriptor: Int32 { frontend.fd.raw }

  /// The frontend's socket; nil if it is not there yet.
  ///
  /// - Parameter waits: waits for it without end.
  public func takeFrontend(waits: Bool = false) throws(SystemError) -> UnixSocket? {
    var byte: UInt8 = 0
    var fds = ReceivedFDs()
    let result: Result<ReceiveResult, SystemError> = unsafe withUnsafeMutableBytes(of: &byte) { space in
      do throws(SystemError) {
        return .success(try unsafe frontend.receive(into: space, fds: &fds, wait: waits))
      } catch { return .failure(error) }
    }
    switch try result.get() {
    case .wouldBlock: return nil
    case .closed: throw SystemError(call: "launcher", code: ESRCH)
    case .bytes, .truncated:
      guard let fd = fds.take(0) else { return nil }
      return UnixSocket(taking: fd)
    }
  }

  // MARK: - Answers

  /// An answer of the launcher.
  private struct Answer: ~Copyable {
    let result: ReceiveResult
    let code: Int32
    var fd: OwnedFD?
  }

  private func takeAnswers() {
    do throws(SystemError) {
      while true {
        var answer = try nextAnswer()
        switch answer.result {
        case .wouldBlock: return
        case .closed: throw SystemError(call: "launcher", code: ESRCH)
        // Its socket found no free descriptor.
        case .truncated: finish(EMFILE, nil)
        case .bytes: finish(answer.code, answer.fd.take())
        }
      }
    } catch {
      // The launcher has ended, and the kernel ends this process.
      if let source = source.take() { loop?.remove(source) }
      for request in waiting { fail(request, error) }
      waiting = []
    }
  }

  /// Ends the oldest request.
  private func finish(_ code: Int32, _ fd: consuming OwnedFD?) {
    if waiting.isEmpty { return }
    let request = waiting.removeFirst()
    guard code == 0 else {
      return fail(request, SystemError(call: request.call, code: code, subject: request.subject))
    }
    switch request {
    case .daemon(let path, let done):
      guard let fd else { return done(.failed(SystemError(call: "connect", code: EPROTO, subject: path))) }
      done(.open(UnixSocket(taking: fd)))
    case .link(let done): done(nil)
    }
  }

  private func fail(_ request: Waiting, _ error: SystemError) {
    switch request {
    case .daemon(_, let done): done(.failed(error))
    case .link(let done): done(error)
    }
  }

  private func nextAnswer() throws(SystemError) -> Answer {
    var code: Int32 = 0
    var fds = ReceivedFDs()
    let result: Result<ReceiveResult, SystemError> = unsafe withUnsafeMutableBytes(of: &code) { space in
      do throws(SystemError) {
        return .success(try unsafe requests.receive(into: space, fds: &fds, wait: false))
      } catch { return .failure(error) }
    }
    return Answer(result: try result.get(), code: code, fd: fds.take(0))
  }

  private func send(_ request: WorkerRequest, _ fds: [Int32]) throws(SystemError) {
    let raw = request.rawValue
    let result: Result<Int?, SystemError> = unsafe withUnsafeBytes(of: raw) { bytes in
      do throws(SystemError) {
        return .success(try unsafe requests.send(bytes, fds: fds))
      } catch { return .failure(error) }
    }
    // Of a launcher that has not read hundreds of requests.
    if try result.get() == nil { throw SystemError(call: "launcher", code: EAGAIN) }
  }
}
