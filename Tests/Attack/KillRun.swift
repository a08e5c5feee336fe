import Glibc
import LinuxIO
import StatusModel
import TestSupport

/// Kills the daemon, backends and clients at random moments, and starts them again.
struct KillRun {
  let kills: Int
  let seed: UInt64
  /// The time in which the picture must be back.
  let withinNanoseconds: UInt64
  var progress: (String) -> Void = { _ in }

  func run() throws -> KillReport {
    var report = KillReport(seed: seed, withinMilliseconds: Double(withinNanoseconds) / 1e6)
    let started = monotonicNanoseconds()
    var course = try KillCourse(seed: seed)
    while report.kills < kills, report.faults.count < 8 {
      let hundreds = report.kills / 100
      try course.killSome(most: kills - report.kills, withinNanoseconds, &report)
      if report.kills / 100 > hundreds { progress("\(report.kills) of \(kills) kills") }
    }
    report.faults += try course.host.end()
    report.seconds = Double(monotonicNanoseconds() - started) / 1e9
    return report
  }
}

/// The processes, and what they held when they were new.
private struct KillCourse {
  let host: KilledHost
  private var random: SeededNumbers
  private var daemonHeld: Holdings
  private var backendsHeld: [Holdings]

  init(seed: UInt64) throws {
    random = SeededNumbers(seed: seed)
    host = try KilledHost()
    daemonHeld = try host.settledDaemon()
    backendsHeld = try host.machines.map(KillCourse.worker)
  }

  private static func worker(_ machine: PlayedMachine) throws -> Holdings {
    guard let worker = machine.processes.last else { throw AttackerFailure(text: "\(machine.name) has no worker") }
    return try Holdings(pid: worker)
  }

  /// Kills one process, sometimes two or three in a row, and waits for the pictures.
  mutating func killSome(most: Int, _ withinNanoseconds: UInt64, _ report: inout KillReport) throws {
    HostProcess.sleep(milliseconds: UInt32.random(in: 0..<120, using: &random))
    let before = try flips(try host.status(within: 5_000_000_000))
    let count = min([1, 1, 1, 2, 3].randomElement(using: &random) ?? 1, most)
    var targets: [(kind: KillTarget, index: Int)] = []
    while targets.count < count {
      let kind = target()
      let next = (kind: kind, index: Int.random(in: 0..<(kind == .client ? 2 : 4), using: &random))
      // A backend that has just been started is not killed again at once: its QEMU is not connected yet.
      if !targets.contains(where: { $0.index == next.index && $0.kind != .daemon && next.kind != .daemon }) {
        targets.append(next)
      }
    }
    for target in targets { try compare(target.kind, target.index, &report) }
    let killed = monotonicNanoseconds()
    for target in targets {
      try kill(target.kind, target.index)
      HostProcess.sleep(milliseconds: UInt32.random(in: 0..<30, using: &random))
    }
    report.kills += count
    let lost = Set(targets.filter { $0.kind == .launcher || $0.kind == .worker }.map(\.index))
    let isOtherDaemon = targets.contains { $0.kind == .daemon }
    try waitForPictures(before, lost, isOtherDaemon, killed, targets.map(\.kind), withinNanoseconds, &report)
    for target in targets where target.kind == .client { try host.restartClient(target.index) }
    for index in lost { backendsHeld[index] = try KillCourse.worker(host.machines[index]) }
    if isOtherDaemon { daemonHeld = try host.settledDaemon() }
  }

  /// Kills one; a daemon and a backend are started again at once, as a service manager and libvirt do.
  private func kill(_ kind: KillTarget, _ index: Int) throws {
    switch kind {
    case .daemon: try host.restartDaemon()
    case .launcher, .worker:
      let machine = host.machines[index]
      let processes = machine.processes
      Glibc.kill(kind == .launcher ? processes[0] : processes[processes.count - 1], SIGKILL)
      _ = try machine.backend.exit()
      for process in processes { try waitForEnd(process, of: machine) }
      try host.restartMachine(index)
    case .client:
      host.clients[index].kill()
      _ = try host.clients[index].exit()
    }
  }

  private mutating func target() -> KillTarget {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<40: .daemon
    case 40..<52: .launcher
    case 52..<65: .worker
    default: .client
    }
  }

  private func flips(_ status: DaemonStatus) throws -> [UInt64] {
    host.machines.map { status.scanout(ofVM: $0.name)?.framesFlipped ?? 0 }
  }

  /// Waits until two more frames of every VM are on screen.
  private func waitForPictures(
    _ before: [UInt64], _ lost: Set<Int>, _ isOtherDaemon: Bool, _ killed: UInt64, _ targets: [KillTarget],
    _ withinNanoseconds: UInt64, _ report: inout KillReport
  ) throws {
    let words = targets.map(\.rawValue).joined(separator: ", ")
    var away = Set(host.machines.indices)
    var othersBack: UInt64?
    var answered: UInt64?
    let deadline = killed + 20_000_000_000
    while !away.isEmpty {
      let now = try flips(try host.status(within: 10_000_000_000))
      if answered == nil { answered = monotonicNanoseconds() - killed }
      for index in away where now[index] >= (isOtherDaemon || lost.contains(index) ? 2 : before[index] + 2) {
        away.remove(index)
      }
      if othersBack == nil, away.isSubset(of: lost) { othersBack = monotonicNanoseconds() }
      if monotonicNanoseconds() > deadline {
        report.faults.append("after a kill of \(words) \(away.map { host.machines[$0].name }) shows nothing for 20 s")
        break
      }
      HostProcess.sleep(milliseconds: 2)
    }
    let nanoseconds = (othersBack ?? deadline) - killed
    for target in targets {
      guard let row = report.rows.firstIndex(where: { $0.target == target }) else { continue }
      report.rows[row].count += 1
      report.rows[row].milliseconds.append(Double(nanoseconds) / 1e6)
    }
    if nanoseconds > withinNanoseconds {
      report.faults.append(
        "after a kill of \(words) the picture is back after \(nanoseconds / 1_000_000) ms, the daemon answers after "
          + "\((answered ?? 0) / 1_000_000) ms")
    }
    for (index, machine) in host.machines.enumerated() where !machine.guest.isRunning || !machine.backend.isRunning {
      report.faults.append("\(machine.name) (\(index)) has ended after a kill of \(words): \(host.log(machine.name))")
      try host.restartMachine(index)
    }
    for (index, client) in host.clients.enumerated() where !client.isRunning && !targets.contains(.client) {
      report.faults.append("client \(index) has ended after a kill of \(words): \(host.log("box\(index)"))")
      try host.restartClient(index)
    }
  }

  /// Compares what a process that is killed next holds with what it held when it was new.
  private func compare(_ kind: KillTarget, _ index: Int, _ report: inout KillReport) throws {
    let before: Holdings, pid: Int32, name: String
    switch kind {
    case .daemon: (before, pid, name) = (daemonHeld, host.daemon.pid, "the daemon")
    case .launcher, .worker:
      let machine = host.machines[index]
      guard let worker = machine.processes.last else { return }
      (before, pid, name) = (backendsHeld[index], worker, machine.name)
    case .client: return
    }
    let now = try Holdings.settled(pid: pid, since: before)
    report.comparedProcesses += 1
    report.faults += now.growth(since: before).map { "\(name) has \($0) than at its start" }
  }

  private func waitForEnd(_ process: Int32, of machine: PlayedMachine) throws {
    try machine.backend.wait(for: "end of process \(process)") {
      let state = LinuxFile.text("/proc/\(process)/stat") ?? ""
      return state.isEmpty || state.contains(") Z ")
    }
  }
}
