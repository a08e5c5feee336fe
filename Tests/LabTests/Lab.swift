import LinuxIO
import PresentClient
import PresentProtocol
import Sandbox
import StatusModel
import Testing

/// The paths of the checkout, the programs under test and the lab's scripts.
enum Lab {
  /// The checkout's top folder.
  static let root: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }()
  /// The directory of the built programs: `FRAMEPATH_BIN`, else the release build.
  static let programs = environmentVariable("FRAMEPATH_BIN") ?? "\(root)/.build/release"

  /// The card to test on: only inside the lab's KMS VM.
  static let card = environmentVariable("FRAMEPATH_TEST_CARD")
  /// A directory shared with the VM's host.
  static let sharedFolder = environmentVariable("FRAMEPATH_TEST_SHARED")

  static func program(_ name: String) -> String { "\(programs)/\(name)" }
  static func script(_ name: String) -> String { "\(root)/Tests/Lab/\(name)" }

  /// A short-lived folder for sockets and pictures.
  static func temporaryFolder() throws -> String {
    let result = try ChildProcess.run(ChildCommand("mktemp", ["-d", "/tmp/framepath-lab.XXXXXX"]))
    return result.output.split(separator: "\n").joined()
  }
}

extension Lab {
  /// Lets the KMS VM's host capture the card's picture from outside, if it does so: `KMSHostTests` compare the capture
  /// with the noise of seed 11.
  static func waitForPhotograph(width: Int, height: Int) throws {
    guard let shared = Lab.sharedFolder else { return }
    let write = "echo \(width) \(height) >\(shared)/drawn.new; mv \(shared)/drawn.new \(shared)/drawn"
    _ = try ChildProcess.run(ChildCommand("sh", ["-c", write]))
    try LabHost.wait(for: "\(shared)/photographed", seconds: 60)
    _ = try ChildProcess.run(ChildCommand("rm", ["\(shared)/photographed"]))
  }
}

extension Lab {
  /// Raises the priority of processes above the machine's other work, or resets it; does nothing without the privilege.
  /// A process that waits for a processor for a whole period misses a vblank.
  static func prefer(_ processes: [Int32], _ isPreferred: Bool = true) {
    let words = isPreferred ? ["--fifo", "--pid", "1"] : ["--other", "--pid", "0"]
    for process in processes.flatMap({ LaunchedWorkers.with($0) }) {
      _ = try? ChildProcess.run(ChildCommand("chrt", ["--all-tasks"] + words + ["\(process)"]))
    }
  }
}

/// An error with the text that a test reports.
struct LabError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A daemon under test with its folder, and what runs beside it.
final class LabHost {
  let folder: String
  let socket: String
  var controlSocket: String { "\(folder)/framepathd-control.sock" }
  private(set) var daemon: ChildProcess
  private let arguments: [String]

  /// Starts a daemon with these `--output` values and settings, and waits until it is ready.
  init(outputs: [String], config: String? = nil, options: [String] = []) throws {
    folder = try Lab.temporaryFolder()
    socket = "\(folder)/framepathd.sock"
    var words = outputs.flatMap { ["--output", $0] } + ["--socket", "\(folder)/framepathd.sock"] + options
    if let config {
      try LinuxFile.replace("\(folder)/framepathd.toml", with: Array(config.utf8))
      words += ["--config", "\(folder)/framepathd.toml"]
    }
    arguments = words
    daemon = try LabHost.start(arguments)
  }

  deinit {
    daemon.stop()
    _ = try? ChildProcess.run(ChildCommand("rm", ["-rf", folder]))
  }

  /// The daemon's process id.
  var daemonPID: Int32 { daemon.pid }

  /// What the daemon has written so far.
  var daemonLog: String {
    // A wait reads what there is.
    daemon.waitForExit(timeoutMilliseconds: 0)
    return daemon.text(.error)
  }

  /// Kills the daemon as a crash would.
  func killDaemon() {
    daemon.kill()
    daemon.waitForExit()
  }

  /// Ends the daemon as a service manager would.
  func stop() -> ChildExit { daemon.stop(timeoutMilliseconds: 20_000) }

  /// Gives the daemon other settings, as an administrator would.
  func reload(config: String) throws {
    try LinuxFile.replace("\(folder)/framepathd.toml", with: Array(config.utf8))
    daemon.signal(1)
  }

  /// Kills the daemon as a crash would, and starts another.
  func restartDaemon() throws {
    killDaemon()
    daemon = try LabHost.start(arguments)
  }

  private static func start(_ arguments: [String]) throws -> ChildProcess {
    let daemon = try ChildProcess(ChildCommand(Lab.program("framepathd"), arguments))
    guard daemon.waitForLine(containing: "ready", timeoutMilliseconds: 60_000) != nil else {
      throw LabError("framepathd did not get ready:\n\(daemon.text(.error))")
    }
    return daemon
  }

  /// Starts a VM's backend and waits for its socket.
  func backend(vm: String, arguments: [String] = []) throws -> ChildProcess {
    let path = backendSocket(vm: vm)
    var command = ChildCommand(
      Lab.program("framepath-vhost-user-gpu"), ["--vm", vm, "--socket-path", path, "--daemon", socket] + arguments)
    command.error = .file("\(folder)/\(vm).log")
    let backend = try ChildProcess(command)
    try LabHost.wait(for: path)
    return backend
  }

  func backendSocket(vm: String) -> String { "\(folder)/\(vm).sock" }

  /// The log of a backend.
  func log(vm: String) -> String {
    (try? ChildProcess.run(ChildCommand("cat", ["\(folder)/\(vm).log"])).output) ?? ""
  }

  /// The picture of a VM's first scanout.
  func snapshot(vm: String) throws -> Picture { try snapshot(.vm(name: vm, scanout: 0), ["--vm", vm]) }

  /// The picture of an output.
  func snapshot(output: String) throws -> Picture { try snapshot(.output(name: output), ["--output", output]) }

  /// The picture of an output, and whether it is from a writeback. Retries a writeback that an emulated card does not
  /// end in time.
  func wholeSnapshot(output: String) throws -> PresentSnapshot {
    var found: PresentSnapshot?
    try LabHost.wait("a picture of \(output)", seconds: 120) {
      found = try? PresentTool.snapshot(.output(name: output), path: controlSocket)
      return found != nil
    }
    guard let found else { throw LabError("no picture of \(output)") }
    return found
  }

  /// By the product's own tool; on an emulated card from the daemon itself, since it would take the emulator seconds to
  /// start a program and to pack and unpack a picture.
  private func snapshot(_ subject: SnapshotSubject, _ words: [String]) throws -> Picture {
    if Lab.card != nil {
      let snapshot = try patiently { () throws(PresentClientError) in
        try PresentTool.snapshot(subject, path: controlSocket)
      }
      return Picture(snapshot.mapped)
    }
    let file = "\(folder)/snapshot.png"
    try framepath(["snapshot"] + words + ["-o", file])
    return try Picture(png: file)
  }

  /// Runs the tool against this daemon.
  @discardableResult
  func framepath(_ arguments: [String]) throws -> String {
    let result = try ChildProcess.run(ChildCommand(Lab.program("framepath"), arguments + ["--socket", socket]))
    guard result.exit.isSuccess else { throw LabError("framepath \(arguments): \(result.exit)\n\(result.error)") }
    return result.output
  }

  /// Waits for a file to appear.
  static func wait(for path: String, seconds: Int = 30) throws {
    try wait("\(path)", seconds: seconds) { LinuxFile.status(path) != nil }
  }

  /// Waits until something is so: for the event, not for a time, which is too short on a busy machine.
  static func wait(_ what: String, seconds: Int = 60, until isSo: () throws -> Bool) throws {
    let deadline = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
    while try !isSo() {
      guard monotonicNanoseconds() < deadline else { throw LabError("waited \(seconds) s for \(what)") }
      try pause(milliseconds: 20)
    }
  }

  /// Waits until frames of a VM have been on screen.
  func waitForFrames(vm: String) throws {
    try LabHost.wait("frames of \(vm)") {
      try status().vms.contains { $0.name == vm && $0.scanouts.contains { $0.framesFlipped > 0 } }
    }
  }

  static func pause(milliseconds: Int) throws {
    let loop = try EventLoop()
    try loop.runOnce(timeoutMilliseconds: Int32(milliseconds))
  }
}
