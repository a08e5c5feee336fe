import LinuxIO
import VhostUserFrontend

/// Which of QEMU's devices a guest has.
public enum BenchDevice: String, Codable, Sendable, CaseIterable {
  /// `vhost-user-test-device-pci` with our whole device behind it.
  case complete
  /// `vhost-user-gpu-pci`.
  case vhostUserGPU = "vhost-user-gpu"
}

/// Where the programs under test are.
public struct BenchPrograms: Sendable {
  /// The folder of `framepathd` and `framepath-vhost-user-gpu`.
  public var folder: String

  /// That folder.
  public init(folder: String) { self.folder = folder }

  /// The folder of this program.
  public static func besideThisProgram() -> BenchPrograms {
    let path = LinuxFile.linkTarget("/proc/self/exe") ?? "framepath"
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return BenchPrograms(folder: parts.dropLast().joined(separator: "/"))
  }

  /// The path of a program; an error says what to build.
  func path(_ name: String) throws(BenchError) -> String {
    for candidate in ["\(folder)/\(name)", "\(folder)/../libexec/\(name)"]
    where LinuxFile.isAccessible(candidate, .execute) { return candidate }
    throw BenchError("\(name) is not in \(folder); build it: swift build -c release")
  }
}

/// A real daemon and a real backend in a folder of their own, and a guest's frontend connected to them.
final class BenchStage {
  static let vm = "bench"

  let daemon: ChildProcess
  let backend: ChildProcess
  let frontend: Frontend
  let daemonSocket: String
  /// From starting the daemon's program to its word "ready".
  let daemonReadyNanoseconds: UInt64
  /// From starting the backend's program to its taking our connection.
  let backendReadyNanoseconds: UInt64
  private let folder: TemporaryFolder
  private let copyCounters: [CopyCounter]

  /// Starts both.
  ///
  /// - Parameters:
  ///   - output: framepathd's `--output`.
  ///   - path: the backend's `--path`.
  ///   - countedCopyBytes: both run with the copy counter, which counts copies of so many bytes or more.
  init(
    _ programs: BenchPrograms, output: String, device: BenchDevice, path: String, ramBytes: Int,
    countedCopyBytes: Int? = nil
  ) throws(BenchError) {
    folder = try mapped { () throws(SystemError) in try TemporaryFolder(prefix: "framepath-bench") }
    let socket = "\(folder.path)/framepathd.sock"
    let vmSocket = "\(folder.path)/vm.sock"
    daemonSocket = socket
    var daemonCommand = ChildCommand(try programs.path("framepathd"), ["--output", output, "--socket", socket])
    let backendProgram = try programs.path("framepath-vhost-user-gpu")
    var counters: [CopyCounter] = []
    if let countedCopyBytes {
      for name in ["framepathd", "framepath-vhost-user-gpu"] {
        counters.append(
          try CopyCounter(programs, file: "\(folder.path)/\(name).copies", minimumBytes: countedCopyBytes, name: name))
      }
      daemonCommand = counters[0].watching(daemonCommand)
    }
    copyCounters = counters

    var started = monotonicNanoseconds()
    let daemon = try mapped { () throws(SystemError) in try ChildProcess(daemonCommand) }
    guard daemon.waitForLine(containing: "ready") != nil else {
      throw BenchError("framepathd does not get ready: \(daemon.text(.error))")
    }
    daemonReadyNanoseconds = monotonicNanoseconds() - started
    self.daemon = daemon

    var backendCommand = ChildCommand(
      backendProgram, ["--vm", BenchStage.vm, "--socket-path", vmSocket, "--daemon", socket, "--path", path])
    backendCommand.error = .file("\(folder.path)/backend.log")
    if counters.count == 2 { backendCommand = counters[1].watching(backendCommand) }
    started = monotonicNanoseconds()
    let backend = try mapped { () throws(SystemError) in try ChildProcess(backendCommand) }
    self.backend = backend
    let connected = try BackendConnection.open(vmSocket, backend, name: "framepath-vhost-user-gpu")
    backendReadyNanoseconds = monotonicNanoseconds() - started
    let ram = try mapped { () throws(SystemError) in try GuestRAM(byteCount: ramBytes) }
    let shape: Frontend.Shape = device == .complete ? .completeDevice : .vhostUserGPU
    frontend = try mapped { () throws(SystemError) in try Frontend(connected.take(), shape: shape, ram: ram) }
  }

  deinit {
    frontend.close()
    backend.stop(timeoutMilliseconds: 2000)
    daemon.stop(timeoutMilliseconds: 2000)
  }

  /// What the copy counters of both have seen; nil where they run without.
  func interposedCopies() throws(BenchError) -> CopyCounter.Counts? {
    if copyCounters.isEmpty { return nil }
    var sum = CopyCounter.Counts()
    for counter in copyCounters { sum = sum + (try counter.read()) }
    return sum
  }

  /// What the daemon has counted for our VM.
  func scanout() throws(BenchError) -> DaemonStatus.Scanout {
    try DaemonStatus(socket: daemonSocket).scanout(vm: BenchStage.vm)
  }

  /// Waits until every frame is on screen or replaced, and returns the counters then.
  func settledScanout() throws(BenchError) -> DaemonStatus.Scanout {
    for _ in 0..<100 {
      let scanout = try scanout()
      if scanout.openFrames == 0 { return scanout }
      HostProcess.sleep(milliseconds: 10)
    }
    throw BenchError("framepathd still has frames on the way a second after the last one")
  }
}
