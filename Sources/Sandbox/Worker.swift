import Glibc
import LinuxIO

/// The launcher's side of a worker: the process, and the sockets between both.
final class Worker {
  let process: ChildProcess
  private let loop: EventLoop
  private let requests: UnixSocket
  private let frontend: UnixSocket
  private let report: UnixSocket
  private var requestSource: EventLoop.Source?
  private var endSource: EventLoop.Source?

  /// Starts it, with the launcher's arguments and more.
  init(loop: EventLoop, adding arguments: [String]) throws(SystemError) {
    self.loop = loop
    let asked = try UnixSocket.pair(.seqpacket)
    let given = try UnixSocket.pair(.seqpacket)
    let reported = try UnixSocket.pair(.stream)
    // A worker that does not read must not stop its launcher.
    try asked.first.fd.setNonblocking()
    try given.first.fd.setNonblocking()
    var command = try WorkerCommand.make(adding: arguments)
    command.descriptors = [
      WorkerDescriptor.requests: asked.second.fd.raw, WorkerDescriptor.frontend: given.second.fd.raw,
      WorkerDescriptor.report: reported.second.fd.raw,
    ]
    process = try ChildProcess(command)
    requests = asked.first
    frontend = given.first
    report = reported.first
  }

  /// Calls `answer` for each request, and `end` at the end of the process.
  func watch(
    answer: @escaping (WorkerRequest, SharedFD?) -> Void, end: @escaping () -> Void, _ account: DescriptorAccount
  ) throws(SystemError) {
    requestSource = try loop.add(requests.fd.raw) { [unowned self] _ in
      if let (request, fd) = nextRequest(account) { answer(request, fd) }
    }
    endSource = try loop.add(process.pidFD) { _ in end() }
  }

  /// Whether an ended worker's last requests say that it had clients.
  func hasSaidServing(_ account: DescriptorAccount) -> Bool {
    var result = false
    while let (request, _) = nextRequest(account) {
      if case .serving = request { result = true }
    }
    return result
  }

  func unwatch() {
    if let source = requestSource.take() { loop.remove(source) }
    if let source = endSource.take() { loop.remove(source) }
  }

  /// The next request with its descriptor; nil for one that has no meaning.
  private func nextRequest(_ account: DescriptorAccount) -> (WorkerRequest, SharedFD?)? {
    var fds = ReceivedFDs(of: account)
    var byte: UInt8 = 0
    let result = unsafe withUnsafeMutableBytes(of: &byte) { space in
      try? unsafe requests.receive(into: space, fds: &fds, wait: false)
    }
    switch result {
    case .bytes:
      guard let request = WorkerRequest(rawValue: byte) else { return nil }
      guard let fd = fds.take(0) else { return (request, nil) }
      return (request, SharedFD(fd))
    case .wouldBlock, .truncated: return nil
    case .closed, nil:
      // The end of the process comes by itself.
      if let source = requestSource.take() { loop.remove(source) }
      return nil
    }
  }

  /// Answers a request with what `body` returns, or with its error. A worker that does not read its answers gets none.
  func answer(_ body: () throws(SystemError) -> OwnedFD?) {
    var code: Int32 = 0
    var fds: [Int32] = []
    var result: SharedFD?
    do throws(SystemError) {
      if let fd = try body() { result = SharedFD(fd) }
      if let result { fds = [result.raw] }
    } catch { code = error.code == 0 ? EIO : error.code }
    Worker.send(requests, unsafe withUnsafeBytes(of: code) { unsafe Array($0) }, fds)
    withExtendedLifetime(result) {}
  }

  /// Gives it the frontend's socket.
  func give(_ fd: Int32) { Worker.send(frontend, [WorkerRequest.frontend.rawValue], [fd]) }

  private static func send(_ socket: borrowing UnixSocket, _ bytes: [UInt8], _ fds: [Int32]) {
    unsafe bytes.withUnsafeBytes { space in _ = try? unsafe socket.send(space, fds: fds) }
  }

  /// The line about a call that the sandbox did not allow; nil if there was none.
  func violation() -> String? {
    var line = [UInt8](repeating: 0, count: 256)
    var fds = ReceivedFDs()
    let result = unsafe line.withUnsafeMutableBytes { space in
      try? unsafe report.receive(into: space, fds: &fds, wait: false)
    }
    guard case .bytes(let count) = result else { return nil }
    return String(decoding: line[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
  }
}
