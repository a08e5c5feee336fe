import LinuxIO
import StatusModel

/// `framepath bench scale`: many VMs on one daemon, each on its own output and paced by it.
public struct ScaleBench {
  /// Numbers of VMs.
  public var counts = [1, 2, 4, 8, 16, 32, 64]
  /// The pictures' size.
  public var size = (width: 640, height: 480)
  /// The refresh rate of the outputs, Hz.
  public var refreshHertz = 60
  /// How long each run measures.
  public var seconds = 2.0
  /// Runs of each number, each with its own processes.
  public var runCount = 5
  /// The backends' `--path`.
  public var path = "auto"
  /// Called with the current step.
  public var progress: (String) -> Void = { _ in }

  private let programs: BenchPrograms

  /// A benchmark of these programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures everything.
  public func run() throws(BenchError) -> ScaleReport {
    var report = ScaleReport(
      width: size.width, height: size.height, refreshHertz: refreshHertz, path: path, machine: .now(), points: [])
    for count in counts {
      var runs: [ScaleReport.Run] = []
      for number in 1...max(runCount, 1) {
        progress("\(count) VMs: run \(number) of \(max(runCount, 1))")
        runs.append(try measure(count))
      }
      report.points.append(ScaleReport.Point(vms: count, runs: runs))
    }
    return report
  }

  private func measure(_ count: Int) throws(BenchError) -> ScaleReport.Run {
    let output = "headless:\(size.width)x\(size.height)@\(refreshHertz)"
    let daemon = try BenchDaemon(programs, outputs: Array(repeating: output, count: count))
    var vms: [BenchVM] = []
    var guests: [BenchGuest] = []
    for index in 0..<count {
      let vm = try BenchVM(
        programs, daemon, name: "vm\(index)", device: .complete, path: path,
        ramBytes: BenchGuest.ramBytes(width: size.width, height: size.height))
      guests.append(
        try BenchGuest(
          vm.frontend, pictures: .blobs, width: size.width, height: size.height, runBytes: 1 << 20,
          backendName: "framepath-vhost-user-gpu of \(vm.name)"))
      vms.append(vm)
    }
    defer { for guest in guests { guest.end() } }
    let crowd = try GuestCrowd(guests)
    _ = try crowd.run(nanoseconds: 200_000_000)

    let before = try settled(daemon, count)
    let backendsBefore = try backendNanoseconds(vms)
    let daemonBefore = try ProcessFigures(pid: daemon.process.pid, name: "framepathd")
    let ownBefore = threadCPUNanoseconds()
    let start = monotonicNanoseconds()
    let frames = try crowd.run(nanoseconds: UInt64(max(seconds, 0.05) * 1e9))
    let elapsed = Double(monotonicNanoseconds() - start) / 1e9
    let own = threadCPUNanoseconds() - ownBefore
    let backends = try backendNanoseconds(vms) - backendsBefore
    let daemonUsed = try ProcessFigures(pid: daemon.process.pid, name: "framepathd").since(daemonBefore)
    let after = try settled(daemon, count)

    let total = Double(max(frames.reduce(0, +), 1))
    var memory: [Double] = []
    for vm in vms { memory.append(Double(try ProcessMemory(pid: vm.process.pid, name: vm.name).privateBytes)) }
    return ScaleReport.Run(
      frames: frames, seconds: elapsed, backendMicroseconds: Double(backends) / total / 1000,
      daemonMicroseconds: Double(daemonUsed.cpuNanoseconds) / total / 1000,
      harnessMicroseconds: Double(own) / total / 1000, backendPrivateBytes: Spread(memory),
      daemonPrivateBytes: try ProcessMemory(pid: daemon.process.pid, name: "framepathd").privateBytes,
      presented: after.presented - before.presented, flipped: after.flipped - before.flipped,
      superseded: after.superseded - before.superseded, cpuCopies: after.copies - before.copies,
      copiedBytes: after.bytes - before.bytes)
  }

  private func backendNanoseconds(_ vms: [BenchVM]) throws(BenchError) -> UInt64 {
    var sum: UInt64 = 0
    for vm in vms { sum += try ProcessFigures(pid: vm.process.pid, name: vm.name).cpuNanoseconds }
    return sum
  }

  private typealias Sums = (presented: UInt64, flipped: UInt64, superseded: UInt64, copies: UInt64, bytes: UInt64)

  /// The daemon's counters over all VMs, once no frame is pending.
  private func settled(_ daemon: BenchDaemon, _ count: Int) throws(BenchError) -> Sums {
    for _ in 0..<200 {
      let scanouts = try DaemonStatus(socket: daemon.controlSocket).vms.compactMap(\.scanouts.first)
      guard scanouts.count == count else { throw BenchError("framepathd has only \(scanouts.count) of \(count) VMs") }
      if scanouts.allSatisfy({ $0.openFrames == 0 }) {
        return scanouts.reduce((0, 0, 0, 0, 0)) { sums, scanout in
          (
            sums.presented + scanout.framesPresented, sums.flipped + scanout.framesFlipped,
            sums.superseded + scanout.framesSuperseded, sums.copies + scanout.cpuCopies,
            sums.bytes + scanout.copiedBytes
          )
        }
      }
      HostProcess.sleep(milliseconds: 10)
    }
    throw BenchError("framepathd still has pending frames two seconds after the last one")
  }
}

/// Guests that draw as fast as their outputs allow, all in one thread.
private final class GuestCrowd {
  private let guests: [BenchGuest]
  private let loop: EventLoop
  private var ready: [Int] = []

  init(_ guests: [BenchGuest]) throws(BenchError) {
    self.guests = guests
    loop = try mapped { () throws(SystemError) in try EventLoop() }
    for (index, guest) in guests.enumerated() {
      try mapped { () throws(SystemError) in
        _ = try loop.add(guest.answerDescriptor) { [weak self] _ in
          guest.takeAnswers()
          if guest.openRequests == 0 { self?.ready.append(index) }
        }
      }
    }
  }

  /// Every guest shows frame after frame; all are answered at the end.
  func run(nanoseconds: UInt64) throws(BenchError) -> [Int] {
    var frames = Array(repeating: 0, count: guests.count)
    let deadline = monotonicNanoseconds() + nanoseconds
    let limit = deadline + 10_000_000_000
    for guest in guests { try begin(guest) }
    var open = guests.count
    while open > 0 {
      ready.removeAll(keepingCapacity: true)
      _ = try mapped { () throws(SystemError) in try loop.runOnce(timeoutMilliseconds: 1000) }
      let now = monotonicNanoseconds()
      for index in ready {
        frames[index] += 1
        if now < deadline { try begin(guests[index]) } else { open -= 1 }
      }
      guard now < limit else {
        let silent = guests.first { $0.openRequests > 0 }
        throw BenchError("\(silent?.backendName ?? "a backend") does not answer")
      }
    }
    return frames
  }

  private func begin(_ guest: BenchGuest) throws(BenchError) {
    guest.takeAnswers()
    try guest.showFrame(.wholePicture)
  }
}
