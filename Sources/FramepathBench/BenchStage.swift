import LinuxIO
import StatusModel
import VhostUserFrontend

/// A guest's device.
public enum BenchDevice: String, Codable, Sendable, CaseIterable {
  /// `vhost-user-test-device-pci` with our complete device.
  case complete
  /// `vhost-user-gpu-pci`.
  case vhostUserGPU = "vhost-user-gpu"
  /// A region of framepath-ivshmem over its socket, used by our guest library.
  case ivshmem
  /// No device: a container that draws into host buffers.
  case client

  /// Whether the guest waits for the screen at every frame.
  var waitsForScreen: Bool { self == .complete || self == .ivshmem }
  /// Whether a frame is answered when it is on screen, so that the screen paces a guest that waits for answers.
  var isAnsweredByScreen: Bool { self != .vhostUserGPU }
}

/// The location of the programs under test.
public struct BenchPrograms: Sendable {
  /// The folder of `framepathd` and `framepath-vhost-user-gpu`.
  public var folder: String

  /// The programs in a folder.
  public init(folder: String) { self.folder = folder }

  /// The folder of this program.
  public static func besideThisProgram() -> BenchPrograms {
    let path = LinuxFile.linkTarget("/proc/self/exe") ?? "framepath-bench"
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return BenchPrograms(folder: parts.dropLast().joined(separator: "/"))
  }

  /// The path of a program; if it is missing, the error says how to build it.
  func path(_ name: String) throws(BenchError) -> String {
    for candidate in ["\(folder)/\(name)", "\(folder)/../libexec/\(name)"]
    where LinuxFile.isAccessible(candidate, .execute) { return candidate }
    throw BenchError("\(name) is not in \(folder); build it: swift build -c release")
  }
}

/// A real backend of one VM, with a guest's frontend connected to it.
final class BenchVM {
  let name: String
  let process: ChildProcess
  let frontend: Frontend
  /// From starting the program to our connection being accepted.
  let readyNanoseconds: UInt64

  init(
    _ programs: BenchPrograms, _ daemon: BenchDaemon, name: String, device: BenchDevice, path: String, ramBytes: Int,
    watching: (ChildCommand) -> ChildCommand = { $0 }
  ) throws(BenchError) {
    self.name = name
    let socket = "\(daemon.folder.path)/\(name).sock"
    var command = ChildCommand(
      try programs.path("framepath-vhost-user-gpu"),
      ["--vm", name, "--socket-path", socket, "--daemon", daemon.socket, "--path", path])
    command.output = .null
    command.error = .file("\(daemon.folder.path)/\(name).log")
    command = watching(command)
    let started = monotonicNanoseconds()
    process = try mapped { () throws(SystemError) in try ChildProcess(command) }
    let connected = try BackendConnection.open(socket, process, name: "framepath-vhost-user-gpu")
    readyNanoseconds = monotonicNanoseconds() - started
    let ram = try mapped { () throws(SystemError) in try GuestRAM(byteCount: ramBytes) }
    let shape: Frontend.Shape = device == .complete ? .completeDevice : .vhostUserGPU
    frontend = try mapped { () throws(SystemError) in try Frontend(connected.take(), shape: shape, ram: ram) }
  }

  deinit {
    frontend.close()
    process.stop(timeoutMilliseconds: 2000)
  }
}

/// A real daemon, and a real backend with a guest's frontend.
final class BenchStage {
  static let vm = "bench"

  var daemon: ChildProcess { daemonStage.process }
  var backend: ChildProcess { vmStage.process }
  var frontend: Frontend { vmStage.frontend }
  var daemonControlSocket: String { daemonStage.controlSocket }
  var daemonReadyNanoseconds: UInt64 { daemonStage.readyNanoseconds }
  var backendReadyNanoseconds: UInt64 { vmStage.readyNanoseconds }
  // In this order: the backend is ended first.
  private let vmStage: BenchVM
  private let daemonStage: BenchDaemon
  private let copyCounters: [CopyCounter]

  /// Starts both.
  ///
  /// - Parameters:
  ///   - output: framepathd's `--output`.
  ///   - path: the backend's `--path`.
  ///   - countedCopyBytes: if not nil, both run with the copy counter, which counts copies of at least this size.
  init(
    _ programs: BenchPrograms, output: String, device: BenchDevice, path: String, ramBytes: Int,
    countedCopyBytes: Int? = nil
  ) throws(BenchError) {
    var counters: [CopyCounter] = []
    daemonStage = try BenchDaemon(programs, outputs: [output]) { (command, folder) throws(BenchError) in
      guard let countedCopyBytes else { return command }
      for name in ["framepathd", "framepath-vhost-user-gpu"] {
        counters.append(
          try CopyCounter(programs, file: "\(folder.path)/\(name).copies", minimumBytes: countedCopyBytes, name: name))
      }
      return counters[0].watching(command)
    }
    vmStage = try BenchVM(
      programs, daemonStage, name: BenchStage.vm, device: device, path: path, ramBytes: ramBytes
    ) { counters.last?.watching($0) ?? $0 }
    copyCounters = counters
  }

  /// The sums of both copy counters; nil if they run without.
  func interposedCopies() throws(BenchError) -> CopyCounter.Counts? {
    if copyCounters.isEmpty { return nil }
    var sum = CopyCounter.Counts()
    for counter in copyCounters { sum = sum + (try counter.read()) }
    return sum
  }

  /// The daemon's counters of our VM.
  func scanout() throws(BenchError) -> DaemonStatus.Scanout { try daemonStage.scanout() }

  /// Waits until every frame is flipped or superseded, and returns the counters.
  func settledScanout() throws(BenchError) -> DaemonStatus.Scanout { try daemonStage.settledScanout() }

  /// The checksum of our VM's screen, from the daemon's snapshot.
  func shownChecksum() throws(BenchError) -> PictureChecksum { try daemonStage.shownChecksum() }
}
