import LinuxIO
import TestSupport

/// Runs attacks one after another against one daemon, with a VM beside that shows frames.
struct AttackRun {
  var rounds = 3
  /// The length of the attack in a round, s.
  var seconds = 2.0
  /// The length of the times between, s.
  var pauseSeconds = 1.0
  var seed: UInt64 = 1
  var progress: (String) -> Void = { _ in }

  func run(_ attacks: [Attack]) throws -> [AttackRow] {
    var rows: [AttackRow] = []
    var host: AttackHost?
    for attack in attacks {
      progress("\(attack.name): \(attack.what)")
      var row = AttackRow(attack)
      if row.missing == nil {
        do {
          let present = try host ?? AttackHost()
          host = present
          try measure(attack, &row, present)
        } catch {
          row.faults.append(host?.death.map { "the daemon has ended with \($0)" } ?? "\(error)")
          if host?.isComplete != true { host = nil }
        }
      }
      rows.append(row)
    }
    return rows
  }

  private func measure(_ attack: Attack, _ row: inout AttackRow, _ host: AttackHost) throws {
    let held = try Holdings(pid: host.daemon.program.pid)
    row.heldBefore = held
    var before = try host.watch.window(seconds: pauseSeconds)
    for round in 0..<rounds {
      let attacker = try host.attack(attack, seconds: seconds, seed: seed &+ UInt64(round))
      let during = try host.watch.window(seconds: seconds - 0.1) {
        switch try host.end(attacker) {
        case .success(let count): row.count += count
        case .failure(let failure): row.faults.append(failure.text)
        }
      }
      let settled = try Holdings.settled(pid: host.daemon.program.pid, since: held)
      row.heldAfter = settled
      let after = try host.watch.window(seconds: pauseSeconds)
      row.rounds.append(AttackRow.Round(before: before, during: during, after: after))
      before = after
    }
    if let after = row.heldAfter { row.faults += after.growth(since: held) }
    let log = host.readLog()
    row.logLines = log.count
    for line in log.prefix(4096) where line.unicodeScalars.contains(where: AttackRun.controlsTerminals) {
      row.faults.append("a control character in the log")
      break
    }
    for program in [host.victim.backend, host.victim.guest] where !program.isRunning {
      row.faults.append("the victim's \(program === host.victim.guest ? "guest" : "backend") has ended")
    }
    if !host.isComplete { throw AttackerFailure(text: "a new daemon is started") }
  }

  private static func controlsTerminals(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}

/// An attacker that could not do its attack.
struct AttackerFailure: Error, CustomStringConvertible {
  var text: String
  var description: String { text }
}

/// A daemon with three outputs, the victim on the first one.
final class AttackHost {
  let daemon: TestDaemon
  let victim: PlayedMachine
  var watch: ScreenWatch { ScreenWatch(vm: victim.name, controlSocket: daemon.controlSocket) }

  init() throws {
    daemon = try TestDaemon(outputs: Array(repeating: "headless:1280x720@60", count: 3))
    let layout = try Programs.run(
      "framepath",
      ["layout", "--output", AttackStage.tiledOutput, "tile", "--control-socket", daemon.controlSocket])
    guard layout.exit.isSuccess else { throw AttackerFailure(text: layout.error) }
    victim = try PlayedMachine(
      "victim", folder: daemon.folder.path, daemon: daemon.socket, output: "headless-0")
    try victim.waitForFlip()
    // An output that composes has its own buffers from its first picture on, and raising eventfds takes a descriptor
    // from the first region on.
    for attack in Attack.all where ["counters", "blocking-doorbell"].contains(attack.name) {
      _ = try end(self.attack(attack, seconds: 0.5, seed: 0)).get()
    }
    var held = try Holdings(pid: daemon.program.pid)
    try daemon.program.wait(for: "quiet") {
      HostProcess.sleep(milliseconds: 200)
      let before = held
      held = try Holdings(pid: daemon.program.pid)
      return held.descriptors == before.descriptors && held.mappings == before.mappings
    }
    _ = readLog()
  }

  deinit {
    victim.end()
    daemon.program.process.stop(timeoutMilliseconds: 3000)
  }

  /// Whether the daemon and the victim run.
  var isComplete: Bool { daemon.program.isRunning && victim.backend.isRunning && victim.guest.isRunning }

  /// How the daemon ended; nil while it runs.
  var death: String? {
    guard !daemon.program.isRunning, let exit = daemon.program.process.exit else { return nil }
    return "\(exit): \(daemon.program.text(.error).split(separator: "\n").suffix(3).joined(separator: " "))"
  }

  /// Starts an attack in a process of its own, and waits until it has begun.
  func attack(_ attack: Attack, seconds: Double, seed: UInt64) throws -> TestProgram {
    let command = ChildCommand(
      "/proc/self/exe",
      [
        "perform", attack.name, "--daemon", daemon.socket, "--folder", daemon.folder.path, "--seconds", "\(seconds)",
        "--seed", "\(seed)",
      ])
    let attacker = try TestProgram(command)
    try attacker.line(containing: "begun", from: .output)
    return attacker
  }

  /// Waits for the end of an attack: how many times it was done.
  func end(_ attacker: TestProgram) throws -> Result<Int, AttackerFailure> {
    let exit = attacker.process.waitForExit(timeoutMilliseconds: 4000)
    attacker.kill()
    let last = attacker.text(.output).split(separator: "\n").last.flatMap { Int($0) }
    guard exit?.isSuccess == true, let last else {
      let how = exit.map { "has ended with \($0)" } ?? "does not end"
      return .failure(AttackerFailure(text: "the attacker \(how): \(attacker.text(.error))"))
    }
    return .success(last)
  }

  /// The daemon's log lines since the last call.
  func readLog() -> [String] {
    var lines: [String] = []
    while let line = daemon.program.process.readLine(from: .error, timeoutMilliseconds: 0) { lines.append(line) }
    return lines
  }
}
