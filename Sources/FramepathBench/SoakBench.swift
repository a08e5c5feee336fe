import LinuxIO
import Sandbox

/// `framepath bench soak`: many clients of every kind on one daemon for a long time, some of them coming and going.
///
/// Leaks per frame or per disconnected client add up and become visible.
public struct SoakBench {
  /// How many clients there are at once: each kind of device in turn.
  public var clientCount = 64
  /// How many of them disconnect and reconnect, one after another.
  public var visitorCount = 8
  /// How long it lasts.
  public var seconds = 600.0
  /// Time between two visits, s.
  public var visitSeconds = 1.0
  /// Time between two samples of the processes, s.
  public var sampleSeconds = 10.0
  /// The pictures' size.
  public var size = (width: 640, height: 480)
  /// The refresh rate of the outputs, Hz.
  public var refreshHertz = 60
  /// Called with the current step.
  public var progress: (String) -> Void = { _ in }

  private static let tickNanoseconds: UInt64 = 4_000_000
  /// More than the frames that the daemon records per scanout, so that its record has reached its full size.
  private static let warmUpFrames = 520
  private let programs: BenchPrograms

  /// A benchmark of these programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures.
  public func run() throws(BenchError) -> SoakReport {
    let output = "headless:\(size.width)x\(size.height)@\(refreshHertz)"
    let daemon = try BenchDaemon(programs, outputs: Array(repeating: output, count: clientCount))
    let empty = try ProcessMemory(pid: daemon.process.pid, name: "framepathd").privateBytes
    var clients: [SoakClient] = []
    for index in 0..<clientCount {
      if index % 16 == 0 { progress("\(index) of \(clientCount) clients are connected") }
      clients.append(try makeClient(index, daemon))
    }
    // Every visitor reconnects once, to exclude one-time costs.
    for place in 0..<visitorCount { try visit(place, &clients, daemon) }
    try warmUp(clients)

    var report = SoakReport(
      clients: clientCount, visitors: visitorCount, width: size.width, height: size.height,
      refreshHertz: refreshHertz, seconds: 0, frames: [], emptyPrivateBytes: empty, machine: .now(), samples: [])
    let start = monotonicNanoseconds()
    let framesBefore = clients.dropFirst(visitorCount).map(\.frames)
    var visits = 0
    let time = { (seconds: Double) in start + UInt64(max(seconds, 0) * 1e9) }
    var (nextSample, nextVisit) = (0.0, visitSeconds)
    while nextSample <= seconds {
      try play(clients, until: time(min(nextSample, nextVisit)))
      if nextVisit < nextSample {
        if visitorCount > 0 { try visit(visits % visitorCount, &clients, daemon) }
        visits += visitorCount > 0 ? 1 : 0
        nextVisit += visitSeconds
        continue
      }
      report.seconds = Double(monotonicNanoseconds() - start) / 1e9
      report.samples.append(try sample(clients, daemon, seconds: report.seconds, visits: visits))
      report.frames = zip(clients.dropFirst(visitorCount), framesBefore).map { $0.frames - $1 }
      if let last = report.samples.last {
        progress(
          "\(Int(last.seconds)) of \(Int(seconds)) s: \(last.descriptors) descriptors, RssAnon "
            + "\(last.anonymousBytes >> 10) KiB, \(visits) visits")
      }
      nextSample += sampleSeconds
    }
    return report
  }

  private func makeClient(_ index: Int, _ daemon: BenchDaemon) throws(BenchError) -> SoakClient {
    let kinds = BenchDevice.allCases
    return try SoakClient(
      programs, daemon, name: "soak\(index)", device: kinds[index % kinds.count], size: size,
      refreshHertz: refreshHertz)
  }

  /// Replaces a visitor by another one of its name and kind.
  private func visit(_ index: Int, _ clients: inout [SoakClient], _ daemon: BenchDaemon) throws(BenchError) {
    clients.remove(at: index)
    clients.insert(try makeClient(index, daemon), at: index)
  }

  private func warmUp(_ clients: [SoakClient]) throws(BenchError) {
    let deadline = monotonicNanoseconds() + 60_000_000_000
    while clients.dropFirst(visitorCount).contains(where: { $0.frames < SoakBench.warmUpFrames }) {
      let now = monotonicNanoseconds()
      guard now < deadline else { return progress("not every client has shown \(SoakBench.warmUpFrames) frames yet") }
      try play(clients, until: now + 100_000_000)
    }
  }

  /// Everybody shows frame after frame.
  private func play(_ clients: [SoakClient], until deadline: UInt64) throws(BenchError) {
    var tick = monotonicNanoseconds()
    while true {
      let now = monotonicNanoseconds()
      guard now < deadline else { return }
      for client in clients { try client.step(at: now) }
      tick = max(tick + SoakBench.tickNanoseconds, monotonicNanoseconds())
      sleep(untilNanoseconds: min(tick, deadline))
    }
  }

  private func sample(
    _ clients: [SoakClient], _ daemon: BenchDaemon, seconds: Double, visits: Int
  ) throws(BenchError) -> SoakReport.Sample {
    let figures = try ProcessHoldings(pid: daemon.process.pid, name: "framepathd")
    var sample = SoakReport.Sample(
      seconds: seconds, descriptors: figures.descriptors, anonymousBytes: figures.anonymousBytes,
      privateBytes: try ProcessMemory(pid: daemon.process.pid, name: "framepathd").privateBytes,
      backendDescriptors: 0, backendAnonymousBytes: 0, visits: visits)
    for client in clients.dropFirst(visitorCount) {
      guard let backend = client.backend else { continue }
      let figures = try ProcessHoldings(pid: backend.pid, name: "the backend of \(client.name)")
      sample.backendDescriptors += figures.descriptors
      sample.backendAnonymousBytes += figures.anonymousBytes
    }
    return sample
  }
}

/// The resources that a process holds, with its worker if it is a launcher.
struct ProcessHoldings: Equatable {
  /// Open descriptors.
  let descriptors: Int
  /// RssAnon of /proc/PID/status, bytes.
  let anonymousBytes: UInt64

  /// Reads the counters; `name` is used in the error if the process has ended or is hidden.
  init(pid: Int32, name: String) throws(BenchError) {
    do throws(SystemError) {
      var (count, bytes) = (0, UInt64(0))
      for process in LaunchedWorkers.with(pid) {
        count += try LinuxFile.list("/proc/\(process)/fd").count
        let status = String(decoding: try LinuxFile.read("/proc/\(process)/status"), as: UTF8.self)
        bytes += ProcFile.number("RssAnon", in: status) * 1024
      }
      (descriptors, anonymousBytes) = (count, bytes)
    } catch {
      throw BenchError(reading: name, pid: pid, error)
    }
  }
}
