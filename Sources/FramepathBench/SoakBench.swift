import LinuxIO

/// `framepath bench soak`: many clients of every kind on one daemon for a long time, some of them coming and going.
///
/// Whatever the daemon or a backend keeps of a frame or of a client that has gone adds up, and is seen.
public struct SoakBench {
  /// How many clients there are at once: each kind of device in turn.
  public var clientCount = 64
  /// How many of them leave and come again, one after the other.
  public var visitorCount = 8
  /// How long it lasts.
  public var seconds = 600.0
  /// From one visit to the next, s.
  public var visitSeconds = 1.0
  /// From one look at the processes to the next, s.
  public var sampleSeconds = 10.0
  /// The pictures' size.
  public var size = (width: 640, height: 480)
  /// The screens' rate.
  public var refreshHertz = 60
  /// Told what is going on.
  public var progress: (String) -> Void = { _ in }

  private static let tickNanoseconds: UInt64 = 4_000_000
  /// As many frames as the daemon remembers of each scanout: from then on it remembers no more.
  private static let warmUpFrames = 520
  private let programs: BenchPrograms

  /// A bench of those programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures.
  public func run() throws(BenchError) -> SoakReport {
    let output = "headless:\(size.width)x\(size.height)@\(refreshHertz)"
    let daemon = try BenchDaemon(programs, outputs: Array(repeating: output, count: clientCount))
    let empty = try ProcessMemory(pid: daemon.process.pid, name: "framepathd").privateBytes
    var clients: [SoakClient] = []
    for index in 0..<clientCount {
      if index % 16 == 0 { progress("\(index) of \(clientCount) clients are there") }
      clients.append(try makeClient(index, daemon))
    }
    // Everybody comes and goes once, so that what the first one costs is not in it.
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

  /// A visitor leaves, and another one of its name and kind comes.
  private func visit(_ index: Int, _ clients: inout [SoakClient], _ daemon: BenchDaemon) throws(BenchError) {
    clients.remove(at: index)
    clients.insert(try makeClient(index, daemon), at: index)
  }

  private func warmUp(_ clients: [SoakClient]) throws(BenchError) {
    let deadline = monotonicNanoseconds() + 60_000_000_000
    while clients.dropFirst(visitorCount).contains(where: { $0.frames < SoakBench.warmUpFrames }) {
      let now = monotonicNanoseconds()
      guard now < deadline else { return progress("not everybody has shown \(SoakBench.warmUpFrames) frames yet") }
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

/// What a process holds that others cannot give back to it.
struct ProcessHoldings: Equatable {
  /// Open descriptors.
  let descriptors: Int
  /// RssAnon of /proc/PID/status, bytes.
  let anonymousBytes: UInt64

  /// Reads the counters; `name` is used in the error if the process has ended.
  init(pid: Int32, name: String) throws(BenchError) {
    do throws(SystemError) {
      descriptors = try LinuxFile.list("/proc/\(pid)/fd").count
      let status = String(decoding: try LinuxFile.read("/proc/\(pid)/status"), as: UTF8.self)
      anonymousBytes = ProcFile.number("RssAnon", in: status) * 1024
    } catch {
      throw BenchError("\(name) (process \(pid)) has ended: \(error)")
    }
  }
}
