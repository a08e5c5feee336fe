import ArgumentParser
import CommandSupport
import FoundationEssentials
import FramepathBench
import LinuxIO

/// Attacks the programs beside it.
@main
struct AttackProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test-attack",
    abstract: "Attacks framepathd, and kills it and its clients, while a VM shows frames.",
    subcommands: [RunCommand.self, PerformCommand.self, GuestCommand.self], defaultSubcommand: RunCommand.self)
}

/// All attacks and kills, with a table.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Runs attacks and kills, and prints a table.",
    discussion: """
      Starts framepathd (headless), framepath-vhost-user-gpu and a process that plays a guest, from this program's \
      directory or $FRAMEPATH_BIN. Exits with status 1 if an attack costs the victim more than 5 % of its frames on \
      screen (median of the rounds; less than beside the control, which only spins), ends the daemon, or leaves \
      descriptors, mappings or memory behind; or if a kill costs others more than Docs/Security.md allows.

      Examples:
        test-attack
        test-attack --only control,present,linger --kills 0 --json
        test-attack --only none --kills 1000 --seed 7
      """)

  @Option(help: ArgumentHelp("Attacks, with commas; none; default: all.", valueName: "names")) var only: String?
  @Flag(help: "List the attacks.") var list = false
  @Option(help: ArgumentHelp("Rounds of each attack.", valueName: "count")) var rounds = 3
  @Option(help: ArgumentHelp("Length of an attack in a round.", valueName: "seconds")) var seconds = 2.0
  @Option(help: ArgumentHelp("The share of its frames that the victim must keep.", valueName: "percent")) var share = 95
  @Option(help: ArgumentHelp("Number of kills; 0: none.", valueName: "count")) var kills = 1000
  @Option(help: ArgumentHelp("The time in which the picture must be back after a kill.", valueName: "seconds"))
  var within = 1.0
  @Option(help: ArgumentHelp("The seed of all numbers by chance; default: the time.", valueName: "number"))
  var seed: UInt64 = monotonicNanoseconds()
  @Flag(help: "Print all figures as JSON.") var json = false

  func validate() throws {
    guard (1...100).contains(rounds) else { throw ValidationError("--rounds takes 1 to 100.") }
    guard (0.5...600).contains(seconds) else { throw ValidationError("--seconds takes 0.5 to 600.") }
    guard (0...100).contains(share) else { throw ValidationError("--share takes 0 to 100.") }
    guard (0.1...60).contains(within) else { throw ValidationError("--within takes 0.1 to 60.") }
    guard (0...1_000_000).contains(kills) else { throw ValidationError("--kills takes 0 to 1000000.") }
    _ = try attacks()
  }

  private func attacks() throws -> [Attack] {
    guard let only else { return Attack.all }
    if only == "none" { return [] }
    return try only.split(separator: ",").map { name in
      guard let attack = Attack.all.first(where: { $0.name == name }) else {
        throw ValidationError("There is no attack \(name); --list lists them.")
      }
      return attack
    }
  }

  func run() throws {
    if list {
      for attack in Attack.all { print("\(attack.name): \(attack.what)") }
      return
    }
    guard BenchSupervisor.isWorker else {
      let code = try BenchSupervisor.run(
        arguments: Array(CommandLine.arguments.dropFirst())
          + (CommandLine.arguments.contains("--seed") ? [] : ["--seed", "\(seed)"]))
      if code != 0 { throw ExitCode(code) }
      return
    }
    raiseDescriptorLimit()
    let progress = { (text: String) in writeErrorLine("test-attack: \(text)") }
    progress("seed \(seed)")
    var report = AttackReport()
    var attack = AttackRun()
    (attack.rounds, attack.seconds, attack.seed, attack.progress) = (rounds, seconds, seed, progress)
    report.rows = try attack.run(try attacks())
    report.leastShare = Double(share) / 100
    report.judge()
    if kills > 0 {
      var run = KillRun(kills: kills, seed: seed, withinNanoseconds: UInt64(within * 1e9))
      run.progress = progress
      report.kills = try run.run()
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      try LinuxFile.writeToStandardOutput(Array(try encoder.encode(report)) + [0x0A])
    } else {
      try LinuxFile.writeToStandardOutput(Array((report.lines.joined(separator: "\n") + "\n").utf8))
    }
    for fault in report.faults { writeErrorLine("test-attack: \(fault)") }
    if !report.faults.isEmpty { throw ExitCode(1) }
  }
}

/// One attack, in a process of its own.
struct PerformCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "perform", shouldDisplay: false)

  @Argument var name: String
  @Option var daemon: String
  @Option var folder: String
  @Option var seconds: Double
  @Option var seed: UInt64

  func run() throws {
    raiseDescriptorLimit()
    guard let attack = Attack.all.first(where: { $0.name == name }) else { throw ValidationError("no such attack") }
    let stage = AttackStage(socket: daemon, folder: folder, seconds: seconds, seed: seed)
    let count = try attack.perform(stage)
    try LinuxFile.writeToStandardOutput(Array("\(count)\n".utf8))
  }
}

/// The victim's guest.
struct GuestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "guest", shouldDisplay: false)

  @Option var socketPath: String

  func run() throws { try PlayedMachine.playGuest(path: socketPath) }
}
