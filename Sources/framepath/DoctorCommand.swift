import ArgumentParser
import FoundationEssentials
import HostProbe
import KMS
import LinuxIO
import PresentClient
import StatusModel

/// `framepath doctor`.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Checks this host for everything that Framepath needs, and suggests remedies.",
    discussion: """
      Checks cards, monitors, DRM masters, the console, udmabuf and its limits, KVM, QEMU programs, the daemon, \
      sandboxes and the discovery file. Changes nothing, except with --reset-console. Some checks need root.

      With --reset-console, terminals that a crashed program has left without text or keyboard get them back, and \
      nothing is checked. Those of running programs are left alone.

      Examples:
        framepath doctor
        framepath doctor --json | jq '.findings[] | select(.severity == "problem")'
        framepath doctor --reset-console

      Exit status: 0 if there are no problems, else 1.
      """)

  @Flag(help: "Print JSON instead of text.") var json = false
  @Flag(help: "Make abandoned virtual terminals usable again.") var resetConsole = false
  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    if resetConsole {
      let lines = try ConsoleReset.run()
      return try LinuxFile.writeToStandardOutput(Array(lines.map { "\($0)\n" }.joined().utf8))
    }
    let report = DoctorReport(findings())
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      try LinuxFile.writeToStandardOutput(Array(try encoder.encode(report)) + [0x0A])
    } else {
      let lines = report.lines(symbols: hasSymbols, columns: HostProcess.terminalColumns ?? 110)
      try LinuxFile.writeToStandardOutput(Array((lines.joined(separator: "\n") + "\n").utf8))
    }
    if report.problems > 0 { throw ExitCode.failure }
  }

  /// Whether the terminal can be expected to show ✓ and similar symbols.
  private var hasSymbols: Bool {
    let environment = ChildCommand.inheritedEnvironment
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
    let name = locale.lowercased()
    return HostProcess.isOutputTerminal && (name.contains("utf-8") || name.contains("utf8"))
  }

  private func findings() -> [Finding] {
    let user = HostProcess.userName(currentUserID())
    let kvm = kvmFailure
    let state = daemonState
    var findings = [SystemFindings.kernel(HostProcess.kernelRelease)]
    let cards = cards
    findings += CardFacts.findings(cards, user: user)
    findings += ConsoleFacts.gather().findings(cards: cards)
    findings += UdmabufFacts.gather().findings(user: user)
    findings.append(SystemFindings.kvm(kvm, user: user))
    findings += QEMUFacts.findings(QEMUFacts.gather(), kvm: kvm?.description)
    findings.append(runtimeDirectoryFinding)
    findings.append(SystemFindings.daemon(state, socket: daemon.path))
    findings += SandboxFacts.gather().findings
    let directories = DiscoveryFacts.directories(environment: ChildCommand.inheritedEnvironment)
    findings += DiscoveryFacts.gather(directories: directories).findings
    findings.append(SystemFindings.memoryLock(HostProcess.memoryLockLimitBytes))
    return findings
  }

  /// The cards from sysfs, with the results of opening those that this user may open.
  private var cards: [CardFacts] {
    let summaries = KMSCard.list()
    return CardFacts.gather().map { facts in
      guard let summary = summaries.first(where: { $0.path == facts.path }) else { return facts }
      var facts = facts
      if !summary.driverName.isEmpty { facts.driver = summary.driverName }
      switch summary.master {
      case .free, .held:
        facts.opened = CardFacts.Opened(
          isFree: summary.master == .free, unsuitable: summary.unsuitable, importsBuffers: summary.importsBuffers,
          hasWriteback: summary.hasWriteback)
      case .unknown: break
      }
      return facts
    }
  }

  private var kvmFailure: SystemError? {
    do throws(SystemError) {
      try KVM.tryOut()
      return nil
    } catch {
      return error
    }
  }

  private var runtimeDirectoryFinding: Finding {
    let directory = DoctorCommand.parent(of: daemon.path)
    return SystemFindings.runtimeDirectory(
      directory, status: LinuxFile.status(directory), mayWrite: LinuxFile.isAccessible(directory, [.write, .execute]),
      parentWritable: LinuxFile.isAccessible(DoctorCommand.parent(of: directory), [.write, .execute]))
  }

  private var daemonState: DaemonState {
    guard LinuxFile.status(daemon.path) != nil else { return .absent }
    do {
      let status = try PresentTool.status(path: daemon.path)
      return .running(outputs: status.outputs.count, vms: status.vms.count)
    } catch PresentClientError.notConnected {
      return LinuxFile.isAccessible(daemon.path, [.read, .write]) ? .stale : .failed("you may not connect to it")
    } catch {
      return .failed("\(error)")
    }
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
