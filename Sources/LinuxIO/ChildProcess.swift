import CLinux
import Glibc

/// How a process ended.
public enum ChildExit: Equatable, Sendable, CustomStringConvertible {
  /// It exited with this status.
  case status(Int32)
  /// This signal killed it.
  case signal(Int32)

  /// Whether it exited with status 0.
  public var isSuccess: Bool { self == .status(0) }

  /// For example `exit status 1`.
  public var description: String {
    switch self {
    case .status(let code): "exit status \(code)"
    case .signal(let number): "signal \(number)"
    }
  }

  /// Parses the status word of `waitpid`.
  init(waitStatus: Int32) {
    let signal = waitStatus & 0x7F
    self = signal == 0 ? .status((waitStatus >> 8) & 0xFF) : .signal(signal)
  }
}

/// Exit and output of a finished child.
public struct ChildResult: Sendable {
  /// How it ended.
  public let exit: ChildExit
  /// Its standard output, if piped, up to the limit.
  public let output: String
  /// Its standard error, if piped, up to the limit.
  public let error: String
}

/// A running child process. It is killed and reaped with the last reference to this object.
///
/// Used from one thread. Every wait reads both piped streams, so a child never hangs on a full pipe during a wait. The
/// kernel does not reuse the pid before `exit` is known.
public final class ChildProcess {
  /// The child's process id.
  public let pid: Int32
  /// Readable once the child has ended, for an `EventLoop`.
  public var pidFD: Int32 { processFD.raw }
  /// How it ended; nil while it runs, as of the last call.
  public private(set) var exit: ChildExit?

  private let processFD: OwnedFD
  private let leadsGroup: Bool
  private var isLeftRunning = false
  private let words: String
  private var input: UnixSocket?
  private var output: ChildText
  private var error: ChildText

  /// The output streams of a child.
  public enum Source: Sendable {
    /// Standard output.
    case output
    /// Standard error.
    case error
  }

  /// Starts a program.
  ///
  /// The corresponding C functions are `posix_spawnp` and `pidfd_open`. A program that is missing or cannot be executed
  /// is an error here, not an exit status.
  public init(_ command: ChildCommand) throws(SystemError) {
    let inputEnds = try ChildProcess.input(command.input)
    let outputEnds = try ChildProcess.output(command.output, standard: STDOUT_FILENO)
    let errorEnds = try ChildProcess.output(command.error, standard: STDERR_FILENO)
    var targets = command.descriptors
    targets[STDIN_FILENO] = inputEnds.childEnd.raw
    targets[STDOUT_FILENO] = outputEnds.childEnd.raw
    targets[STDERR_FILENO] = errorEnds.childEnd.raw
    let pid = try command.spawn(targets: targets)
    self.pid = pid
    leadsGroup = command.leadsGroup
    words = command.words
    input = inputEnds.takeParentSocket()
    output = ChildText(outputEnds.takeParentEnd(), limit: command.captureLimit)
    error = ChildText(errorEnds.takeParentEnd(), limit: command.captureLimit)
    do throws(SystemError) {
      processFD = OwnedFD(taking: try check("pidfd_open", "\(pid)") { clinux_pidfd_open(pid) })
    } catch {
      _ = Glibc.kill(pid, SIGKILL)
      _ = waitpid(pid, nil, 0)
      throw error
    }
  }

  /// Lets the child run on when this object is released, and after the end of this process.
  public func leaveRunning() { isLeftRunning = true }

  deinit {
    guard exit == nil, !isLeftRunning else { return }
    kill()
    _ = waitpid(pid, nil, 0)
  }

  /// Runs a program to its end and returns its output.
  ///
  /// - Parameter timeoutMilliseconds: afterwards the program is killed, and the error is ETIMEDOUT.
  public static func run(_ command: ChildCommand, timeoutMilliseconds: Int = 10_000) throws(SystemError) -> ChildResult
  {
    let child = try ChildProcess(command)
    guard let exit = child.waitForExit(timeoutMilliseconds: timeoutMilliseconds) else {
      throw SystemError(call: "waiting \(timeoutMilliseconds) ms for", code: ETIMEDOUT, subject: command.words)
    }
    return ChildResult(exit: exit, output: child.text(.output), error: child.text(.error))
  }

  /// Sends a signal to the child, or to its group if it leads one; does nothing after its end.
  public func signal(_ number: Int32) {
    guard exit == nil else { return }
    _ = Glibc.kill(leadsGroup ? -pid : pid, number)
  }

  /// Sends SIGTERM.
  public func terminate() { signal(SIGTERM) }

  /// Sends SIGKILL.
  public func kill() { signal(SIGKILL) }

  /// Sends SIGTERM, and SIGKILL if the child does not end in time.
  @discardableResult
  public func stop(timeoutMilliseconds: Int = 5000) -> ChildExit {
    terminate()
    if let exit = waitForExit(timeoutMilliseconds: timeoutMilliseconds) { return exit }
    kill()
    return waitForExit() ?? .signal(SIGKILL)
  }

  /// Waits for the end.
  ///
  /// - Parameter timeoutMilliseconds: nil to wait forever, 0 not to wait.
  /// - Returns: nil if it still runs.
  @discardableResult
  public func waitForExit(timeoutMilliseconds: Int? = nil) -> ChildExit? {
    let deadline = ChildProcess.deadline(after: timeoutMilliseconds)
    while exit == nil { guard pump(until: deadline) else { break } }
    return exit
  }

  /// The next line of a piped stream, without its newline; at the end an incomplete line counts.
  ///
  /// - Parameter timeoutMilliseconds: nil to wait forever.
  /// - Returns: nil at the end of the stream and at the timeout.
  public func readLine(from source: Source, timeoutMilliseconds: Int? = 10_000) -> String? {
    let deadline = ChildProcess.deadline(after: timeoutMilliseconds)
    while true {
      let line = source == .output ? output.nextLine() : error.nextLine()
      if line != nil { return line }
      let isOpen = source == .output ? output.isOpen : error.isOpen
      guard isOpen, pump(until: deadline) else { return nil }
    }
  }

  /// Reads lines until one contains `words` and returns it; nil at the end of the stream and at the timeout.
  public func waitForLine(
    containing words: String, from source: Source = .error, timeoutMilliseconds: Int = 10_000
  ) -> String? {
    let deadline = monotonicNanoseconds() + UInt64(max(timeoutMilliseconds, 0)) * 1_000_000
    while true {
      let now = monotonicNanoseconds()
      let rest = now < deadline ? Int((deadline - now) / 1_000_000) : 0
      guard let line = readLine(from: source, timeoutMilliseconds: rest) else { return nil }
      if line.contains(words) { return line }
    }
  }

  /// All text of a piped stream so far, including lines already taken.
  public func text(_ source: Source) -> String {
    source == .output ? output.all : error.all
  }

  /// Writes to a piped standard input. Throws EPIPE if the child has closed it; SIGPIPE is never raised.
  public func write(_ text: String) throws(SystemError) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let bytes = Array(rest)
      let result: Result<Int, SystemError> = unsafe bytes.withUnsafeBytes { buffer in
        do throws(SystemError) {
          guard input != nil else { throw SystemError(call: "write", code: EPIPE, subject: words) }
          return .success(try unsafe input?.send(buffer) ?? 0)
        } catch { return .failure(error) }
      }
      rest = rest.dropFirst(try result.get())
    }
  }

  /// Closes a piped standard input, so that the child reads end of file.
  public func closeInput() { input = nil }

  /// Waits once for output or the end; false if the deadline came first.
  private func pump(until deadline: UInt64?) -> Bool {
    var waits = [pollfd(fd: exit == nil ? processFD.raw : -1, events: Int16(POLLIN), revents: 0)]
    waits.append(pollfd(fd: output.pollNumber, events: Int16(POLLIN), revents: 0))
    waits.append(pollfd(fd: error.pollNumber, events: Int16(POLLIN), revents: 0))
    var timeout: Int32 = -1
    if let deadline {
      let now = monotonicNanoseconds()
      timeout = deadline > now ? Int32(clamping: (deadline - now + 999_999) / 1_000_000) : 0
    }
    let ready = unsafe poll(&waits, 3, timeout)
    if ready < 0 { return errno == EINTR }
    if ready == 0 { return false }
    output.drain()
    error.drain()
    if waits[0].revents != 0 { reap() }
    return true
  }

  private func reap() {
    var status: Int32 = 0
    guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return }
    exit = ChildExit(waitStatus: status)
    // Output from between the last read and the end.
    output.drain()
    error.drain()
  }

  private static func deadline(after timeoutMilliseconds: Int?) -> UInt64? {
    timeoutMilliseconds.map { monotonicNanoseconds() + UInt64(max($0, 0)) * 1_000_000 }
  }
}
