import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel

/// `framepath bench copies`: table 1 of Joo, Lee and Eom (2012), measured instead of calculated.
public struct CopiesBench {
  /// Frames per path.
  public var frames = 3000
  /// Sizes of the picture, in pixels of 4 bytes; 250 × 1 is the paper's 1 000 bytes.
  public var sizes: [(width: Int, height: Int)] = [(250, 1)]
  /// The paths to measure.
  public var paths = CopiesPath.allCases
  /// Whether backend and daemon run with the interposed copy counter.
  public var countsInterposed = true
  /// Whether the legacy path ends in an X server, if one is installed.
  public var usesXServer = true
  /// Called with the current step.
  public var progress: (String) -> Void = { _ in }

  private let programs: BenchPrograms

  /// A benchmark of these programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Counts everything.
  public func run() throws(BenchError) -> CopiesReport {
    var report = CopiesReport(frames: frames, machine: .now(), sizes: [])
    for size in sizes {
      var results: [CopiesReport.Path] = []
      for path in paths {
        progress("\(size.width)x\(size.height): \(path.rawValue), \(frames) frames")
        switch path {
        case .legacy: results.append(try legacy(size.width, size.height))
        case .hybrid: results.append(try product(.hybrid, size.width, size.height))
        case .direct: results.append(try product(.direct, size.width, size.height))
        }
      }
      report.sizes.append(CopiesReport.Size(width: size.width, height: size.height, paths: results))
    }
    return report
  }

  private func legacy(_ width: Int, _ height: Int) throws(BenchError) -> CopiesReport.Path {
    if usesXServer, let server = try XServer(width: width, height: height) {
      var path = try LegacyPath(width: width, height: height, hostFramebuffer: XScreen(server, width, height))
      return try path.run(frames: frames)
    }
    var path = try LegacyPath(width: width, height: height, hostFramebuffer: PlainScreen(width, height))
    return try path.run(frames: frames)
  }

  /// Our own path: real backend and daemon, each frame presented after the last one was scanned out.
  private func product(_ path: CopiesPath, _ width: Int, _ height: Int) throws(BenchError) -> CopiesReport.Path {
    let isDirect = path == .direct
    let pictureBytes = width * height * 4
    let stage = try BenchStage(
      programs, output: "headless:\(width)x\(height)@1000", device: isDirect ? .complete : .vhostUserGPU,
      path: isDirect ? "auto" : "copy", ramBytes: BenchGuest.ramBytes(width: width, height: height),
      countedCopyBytes: countsInterposed ? min(pictureBytes, 1000) : nil)
    let guest = try BenchGuest(
      stage.frontend, pictures: isDirect ? .blobs : .images, width: width, height: height, runBytes: 1 << 20,
      backendName: "framepath-vhost-user-gpu")
    defer { guest.end() }
    let before = try stage.settledScanout()
    let interposed = try stage.interposedCopies()
    let cpuBefore = try stage.cpuNanoseconds()
    let start = monotonicNanoseconds()
    for frame in 0..<frames {
      guest.draw(UInt32(truncatingIfNeeded: frame))
      try guest.showFrame(.wholePicture)
      try guest.wait(untilOpen: 0)
      // A guest with 2D resources gets no flip feedback, and frames presented too early would be superseded.
      if !isDirect { try stage.waitForFlips(before.framesFlipped + UInt64(frame) + 1) }
    }
    try guest.finish()
    let seconds = Double(monotonicNanoseconds() - start) / 1e9
    let after = try stage.settledScanout()
    let cpu = try stage.cpuNanoseconds() - cpuBefore
    let seen = try stage.interposedCopies()
    let counted = seen.flatMap { seen in interposed.map { seen.since($0) } }
    return CopiesReport.Path(
      path: path,
      means: isDirect
        ? "framepath-vhost-user-gpu and framepathd, path \(after.path.rawValue)"
        : "framepath-vhost-user-gpu and framepathd, path \(after.path.rawValue); CPU time includes polling for flips",
      frames: frames,
      scannedOut: after.framesFlipped - before.framesFlipped,
      superseded: after.framesSuperseded - before.framesSuperseded, cpuCopies: after.cpuCopies - before.cpuCopies,
      copiedBytes: after.copiedBytes - before.copiedBytes, interposedBytes: counted?.bytes,
      interposedCopies: counted?.calls, pictureBytes: pictureBytes, seconds: seconds,
      microsecondsPerFrame: Double(cpu) / 1000 / Double(max(frames, 1)), drawnChecksum: guest.checksumOfShown().text,
      shownChecksum: try stage.shownChecksum().text)
  }
}

extension BenchStage {
  /// CPU time of backend and daemon so far.
  func cpuNanoseconds() throws(BenchError) -> UInt64 {
    try ProcessFigures(pid: backend.pid, name: "framepath-vhost-user-gpu").cpuNanoseconds
      + ProcessFigures(pid: daemon.pid, name: "framepathd").cpuNanoseconds
  }

  /// Waits until the daemon has flipped this many frames of our VM.
  func waitForFlips(_ count: UInt64) throws(BenchError) {
    let deadline = monotonicNanoseconds() + 5_000_000_000
    while try scanout().framesFlipped < count {
      guard monotonicNanoseconds() < deadline else {
        throw BenchError("framepathd has not shown frame \(count) after 5 s")
      }
      sleep(untilNanoseconds: monotonicNanoseconds() + 200_000)
    }
  }
}
