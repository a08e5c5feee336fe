public import LinuxIO

/// A program that a test starts, and its output. It is killed with the last reference to it.
///
/// Waits have a time limit, which is an error with all that the program has written.
public final class TestProgram {
  /// An event that did not come in time.
  public struct Failure: Error, CustomStringConvertible {
    /// The event, and the program's output.
    public let description: String
  }

  /// The default limit of a wait, in milliseconds: the machine may be busy.
  public static let patience = 20_000

  /// The process.
  public let process: ChildProcess
  private let name: String

  /// Starts a command.
  public init(_ command: ChildCommand) throws(SystemError) {
    name = command.executable
    process = try ChildProcess(command)
  }

  /// Starts one of this package's programs.
  public convenience init(
    _ name: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws(SystemError) {
    var command = ChildCommand(Programs.path(name), arguments)
    command.addedEnvironment = environment
    try self.init(command)
  }

  /// Starts a shell command in a terminal of 24 rows and 200 columns, made by script(1); `type` presses its keys.
  public static func inTerminal(_ words: String) throws(SystemError) -> TestProgram {
    var command = ChildCommand("script", ["-qfec", "stty rows 24 cols 200; \(words)", "/dev/null"])
    command.input = .pipe
    command.addedEnvironment = ["TERM": "xterm", "LC_ALL": "C.UTF-8"]
    return try TestProgram(command)
  }

  /// The process id.
  public var pid: Int32 { process.pid }

  /// Whether it has not ended yet.
  public var isRunning: Bool { process.waitForExit(timeoutMilliseconds: 0) == nil }

  /// All that it has written.
  public func text(_ source: ChildProcess.Source) -> String { process.text(source) }

  /// All lines so far that contain `words`.
  public func lines(containing words: String, from source: ChildProcess.Source = .error) -> [Substring] {
    process.text(source).split(separator: "\n").filter { $0.contains(words) }
  }

  /// Presses keys.
  public func type(_ keys: String) throws(SystemError) { try process.write(keys) }

  // MARK: - Waiting

  /// Reads lines until one contains `words`.
  @discardableResult
  public func line(
    containing words: String, from source: ChildProcess.Source = .error, milliseconds: Int = patience
  ) throws(Failure) -> String {
    let line = process.waitForLine(containing: words, from: source, timeoutMilliseconds: milliseconds)
    guard let line else { throw failure("no line with \"\(words)\"") }
    return line
  }

  /// Whether a further line contains `words` within that time: for a line that must not come.
  public func writesLine(
    containing words: String, from source: ChildProcess.Source = .error, milliseconds: Int
  ) -> Bool {
    process.waitForLine(containing: words, from: source, timeoutMilliseconds: milliseconds) != nil
  }

  /// The next line of its standard output.
  @discardableResult
  public func nextLine(milliseconds: Int = patience) throws(Failure) -> String {
    guard let line = process.readLine(from: .output, timeoutMilliseconds: milliseconds) else {
      throw failure("no further line")
    }
    return line
  }

  /// Waits until its standard output contains a text so many times. Takes lines; unlike `line` it finds text in the last
  /// line of a screen, which has no end.
  public func output(contains text: String, times: Int = 1, milliseconds: UInt64 = 20_000) throws(Failure) {
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    while TestProgram.count(of: text, in: process.text(.output)) < times {
      if monotonicNanoseconds() >= deadline { throw failure("the output does not contain \"\(text)\" \(times) times") }
      _ = process.readLine(from: .output, timeoutMilliseconds: 50)
    }
  }

  /// Waits for something without an event, such as a state in /proc or a file.
  public func wait(for what: String, until isSo: () throws -> Bool) throws {
    let deadline = monotonicNanoseconds() + UInt64(TestProgram.patience) * 1_000_000
    while try !isSo() {
      if monotonicNanoseconds() >= deadline { throw failure("there is no \(what)") }
      HostProcess.sleep(milliseconds: 5)
    }
  }

  /// Waits for the end.
  public func exit(milliseconds: Int = patience) throws(Failure) -> ChildExit {
    guard let exit = process.waitForExit(timeoutMilliseconds: milliseconds) else { throw failure("it does not end") }
    return exit
  }

  // MARK: - Ending

  /// Sends a signal.
  public func signal(_ number: Int32) { process.signal(number) }

  /// Sends SIGKILL.
  public func kill() { process.kill() }

  /// Sends SIGTERM, and waits for the end.
  @discardableResult
  public func end(milliseconds: Int = patience) throws(Failure) -> ChildExit {
    process.terminate()
    return try exit(milliseconds: milliseconds)
  }

  private func failure(_ event: String) -> Failure {
    Failure(
      description:
        "\(name): \(event)\nstandard output:\n\(process.text(.output))\nstandard error:\n\(process.text(.error))")
  }

  private static func count(of part: String, in text: String) -> Int { text.ranges(of: part).count }
}

/// framepathd with one headless output, in a folder of its own. It is killed with the last reference to it.
public final class TestDaemon {
  /// The program.
  public let program: TestProgram
  /// For the sockets of a test, too.
  public let folder: TemporaryFolder

  /// Starts it, and waits until it is ready.
  ///
  /// - Parameter options: more of its options.
  public init(outputs: [String] = ["headless:320x200@60"], options: [String] = []) throws {
    folder = try TemporaryFolder()
    program = try TestProgram(
      "framepathd", outputs.flatMap { ["--output", $0] } + ["--socket", "\(folder.path)/daemon.sock"] + options)
    try program.line(containing: "ready")
  }

  /// Where it listens for clients that show frames.
  public var socket: String { "\(folder.path)/daemon.sock" }

  /// Where it listens for tools.
  public var controlSocket: String { "\(folder.path)/daemon-control.sock" }
}
