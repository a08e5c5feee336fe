import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel

/// A real daemon in its own folder.
final class BenchDaemon {
  let process: ChildProcess
  let socket: String
  var controlSocket: String { PresentSocket.controlPath(beside: socket) }
  /// From starting the program to its line "ready".
  let readyNanoseconds: UInt64
  let folder: TemporaryFolder

  /// Starts it.
  ///
  /// - Parameters:
  ///   - outputs: framepathd's `--output`, each.
  ///   - watching: changes the command before it is run.
  init(
    _ programs: BenchPrograms, outputs: [String],
    watching: (ChildCommand, TemporaryFolder) throws(BenchError) -> ChildCommand = {
      (command, _) throws(BenchError) in command
    }
  ) throws(BenchError) {
    let folder = try mapped { () throws(SystemError) in try TemporaryFolder(prefix: "framepath-bench") }
    self.folder = folder
    socket = "\(folder.path)/framepathd.sock"
    var command = ChildCommand(
      try programs.path("framepathd"), outputs.flatMap { ["--output", $0] } + ["--socket", socket])
    command = try watching(command, folder)
    let started = monotonicNanoseconds()
    process = try mapped { () throws(SystemError) in try ChildProcess(command) }
    guard process.waitForLine(containing: "ready") != nil else {
      throw BenchError("framepathd did not become ready: \(process.text(.error))")
    }
    readyNanoseconds = monotonicNanoseconds() - started
  }

  deinit { process.stop(timeoutMilliseconds: 2000) }

  /// The counters of our VM.
  func scanout() throws(BenchError) -> DaemonStatus.Scanout {
    try DaemonStatus(socket: controlSocket).scanout(vm: BenchStage.vm)
  }

  /// Waits until every frame of our VM is flipped or superseded, and returns the counters.
  ///
  /// Two readings must agree, because a backend may hold a frame that it has not presented yet.
  func settledScanout() throws(BenchError) -> DaemonStatus.Scanout {
    var known: UInt64?
    for _ in 0..<100 {
      let scanout = try scanout()
      if scanout.openFrames == 0, scanout.framesPresented == known { return scanout }
      known = scanout.openFrames == 0 ? scanout.framesPresented : nil
      HostProcess.sleep(milliseconds: 10)
    }
    throw BenchError("framepathd still has pending frames a second after the last one")
  }

  /// The checksum of our VM's screen, from the daemon's snapshot.
  func shownChecksum() throws(BenchError) -> PictureChecksum {
    let snapshot: PresentSnapshot
    do throws(PresentClientError) {
      snapshot = try PresentTool.snapshot(.vm(name: BenchStage.vm, scanout: 0), path: controlSocket)
    } catch {
      throw BenchError("framepathd's snapshot: \(error)")
    }
    var checksum = PictureChecksum()
    let layout = snapshot.mapped.layout
    snapshot.mapped.beginAccess(read: true)
    unsafe checksum.addRows(
      snapshot.mapped.pixels, width: layout.width, height: layout.height, strideBytes: layout.strideBytes)
    snapshot.mapped.endAccess(read: true)
    return checksum
  }
}
