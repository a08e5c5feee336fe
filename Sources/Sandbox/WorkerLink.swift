import CSandbox
import Glibc
public import LinuxIO

/// A worker's side of its launcher, over descriptors that it has from its start.
///
/// Owned by the worker's thread. The launcher is trusted, and answers at once unless the machine is overloaded.
public final class WorkerLink {
  /// How long a request waits for the launcher.
  private static let answerMilliseconds: Int32 = 2000

  private let requests: UnixSocket
  private let frontend: UnixSocket
  private let report: OwnedFD

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
    try check("close_range") { csandbox_close_from(WorkerDescriptor.firstForeign) }
    let hasEnded = try check("prctl(PR_SET_PDEATHSIG)") { csandbox_end_with_parent(launcher, SIGKILL) }
    if hasEnded != 0 { throw SystemError(call: "launcher", code: ESRCH, subject: "\(launcher)") }
  }

  /// Applies a policy to this process; the launcher logs a violation. Call it before any other thread starts.
  ///
  /// - Returns: what the kernel does not restrict, for the log; nil if nothing is missing.
  public func enter(_ policy: SandboxPolicy) throws(SandboxError) -> String? {
    let result = try Sandbox.giveUpRights(policy)
    try Sandbox.filterCalls(policy, reportTo: report.raw, prefix: "its sandbox, which does not allow the")
    return result.shortcoming
  }

  /// A new connection to the daemon, nonblocking.
  ///
  /// - Parameter path: the daemon's socket, for errors; the launcher knows it.
  /// - Throws: the launcher's error of `connect`; ETIMEDOUT if the launcher does not answer.
  public func connectDaemon(_ path: String) throws(SystemError) -> UnixSocket {
    guard let fd = try ask(.daemon, subject: path) else {
      throw SystemError(call: "connect", code: EPROTO, subject: path)
    }
    return UnixSocket(taking: fd)
  }

  /// Has the launcher show memory at its link.
  public func link(to memory: Int32) throws(SystemError) { _ = try ask(.link, subject: "a link", fds: [memory]) }

  /// Tells the launcher that clients depend on this process: no other one replaces it after a crash.
  public func isServing() throws(SystemError) { try send(.serving, []) }

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

  /// An answer of the launcher.
  private struct Answer: ~Copyable {
    let result: ReceiveResult
    let code: Int32
    var fd: OwnedFD?
  }

  private func ask(
    _ request: WorkerRequest, subject: String, fds: [Int32] = []
  ) throws(SystemError) -> OwnedFD? {
    // An answer that came after its request's time.
    while case .bytes = try nextAnswer().result {}
    try send(request, fds)
    let ready = try waitUntilReady(requests.fd.raw, .readable, timeoutMilliseconds: WorkerLink.answerMilliseconds)
    if ready.isEmpty { throw SystemError(call: "launcher", code: ETIMEDOUT, subject: subject) }
    var answer = try nextAnswer()
    guard case .bytes(4) = answer.result else { throw SystemError(call: "launcher", code: EPROTO, subject: subject) }
    if answer.code != 0 { throw SystemError(call: request.call, code: answer.code, subject: subject) }
    return answer.fd.take()
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
    let result: Result<Void, SystemError> = unsafe withUnsafeBytes(of: raw) { bytes in
      do throws(SystemError) {
        _ = try unsafe requests.send(bytes, fds: fds)
        return .success(())
      } catch { return .failure(error) }
    }
    try result.get()
  }
}
