import LinuxIO

/// The cost of one wake-up of an otherwise idle process on this machine, measured in the same run: a lower bound for
/// designs that wake a process per frame.
public struct WakeUpFloor: Codable, Equatable, Sendable {
  /// CPU time of a wake-up at the screen's refresh rate, µs: after idling, with cold caches.
  public var pacedMicroseconds: Double
  /// At 1000 Hz.
  public var fastMicroseconds: Double
  /// One directly after the other.
  public var unpacedMicroseconds: Double

  /// The descriptors that the other process inherits.
  private static let (requests, answers): (Int32, Int32) = (3, 4)

  /// The other process: blocks reading an eventfd, and signals another one for every wake-up.
  public static func serve() throws(BenchError) {
    try mapped { () throws(SystemError) in try echoRaises(of: requests, to: answers) }
  }

  /// Measures each rate for this many nanoseconds.
  init(_ programs: BenchPrograms, hertz: Int, nanoseconds: UInt64) throws(BenchError) {
    let probe = try WakeUpProbe(programs)
    pacedMicroseconds = try probe.microseconds(every: 1_000_000_000 / UInt64(hertz), nanoseconds)
    fastMicroseconds = try probe.microseconds(every: 1_000_000, nanoseconds)
    unpacedMicroseconds = try probe.microseconds(every: 0, nanoseconds)
  }

  fileprivate static func command(_ programs: BenchPrograms, _ requests: Int32, _ answers: Int32) throws(BenchError)
    -> ChildCommand
  {
    var command = ChildCommand(try programs.path("framepath-bench"), ["wake-up-floor"])
    command.descriptors = [WakeUpFloor.requests: requests, WakeUpFloor.answers: answers]
    command.output = .null
    command.error = .null
    return command
  }
}

/// The process that only wakes up.
private final class WakeUpProbe {
  private let requests: EventFD
  private let answers: EventFD
  private let process: ChildProcess

  init(_ programs: BenchPrograms) throws(BenchError) {
    requests = try mapped { () throws(SystemError) in try EventFD() }
    answers = try mapped { () throws(SystemError) in try EventFD() }
    let command = try WakeUpFloor.command(programs, requests.fd.raw, answers.fd.raw)
    process = try mapped { () throws(SystemError) in try ChildProcess(command) }
    try wake()
  }

  deinit { process.stop(timeoutMilliseconds: 2000) }

  private func wake() throws(BenchError) {
    requests.signal()
    let fd = answers.fd.raw
    let ready = try mapped { () throws(SystemError) in
      try waitUntilReady(fd, .readable, timeoutMilliseconds: 5000)
    }
    guard !ready.isEmpty else { throw BenchError("the wake-up floor's process does not answer") }
    answers.drain()
  }

  /// CPU time of a wake-up.
  func microseconds(every period: UInt64, _ nanoseconds: UInt64) throws(BenchError) -> Double {
    let before = try ProcessFigures(pid: process.pid, name: "the wake-up floor's process")
    let start = monotonicNanoseconds()
    var due = start
    var count = 0
    repeat {
      if period > 0 { sleep(untilNanoseconds: due) }
      try wake()
      count += 1
      due += period
    } while monotonicNanoseconds() - start < nanoseconds
    let used = try ProcessFigures(pid: process.pid, name: "the wake-up floor's process").since(before)
    return Double(used.cpuNanoseconds) / Double(count) / 1000
  }
}
