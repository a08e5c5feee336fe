import ArgumentParser
import DaemonSettings
import HostProbe
import LinuxIO
import PresentClient
import PresentProtocol

/// `framepath lease`.
struct LeaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lease",
    abstract: "Runs a command that drives an output itself through a DRM lease, or revokes a lease.",
    discussion: """
      The command inherits its DRM device as an open descriptor whose number is in FRAMEPATH_LEASE_FD. The device has \
      one connector with its CRTC and planes, and the command is its DRM master. VMs on the output wait until the \
      command has ended, and are then shown again. If another lessee has the output, this command waits for its turn.

      Users of the control socket may lease. Others lease through the frames socket and need permission: \
      [output.HDMI-A-1] lease = "uid 1000, gid 44", or --allow.

      Exit status: the command's; 128 plus the signal's number if a signal ended it; 1 if no lease was granted.

      Examples:
        framepath lease --output HDMI-A-1 -- my-player --fullscreen
        framepath lease --output HDMI-A-1 \\
          sh -c 'exec player --drm-fd=$FRAMEPATH_LEASE_FD'
        framepath lease --output HDMI-A-1 --revoke
        framepath lease --output HDMI-A-1 --allow "uid 1000, gid 44"
      """)

  @Option(help: ArgumentHelp("The output.", valueName: "name")) var output: String
  @Flag(help: "Revoke the output's lease.") var revoke = false
  @Option(
    help: ArgumentHelp(
      "\(SettingsTable.setting("lease", .output)?.help ?? "") \(SettingType.leasePolicy.expected).", valueName: "policy"
    ))
  var allow: String?
  @OptionGroup var daemon: DaemonOptions
  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("The command.", valueName: "command"))
  var command: [String] = []

  private var words: [String] { command.first == "--" ? Array(command.dropFirst()) : command }

  func validate() throws {
    if let allow { _ = try SettingWords.change(.output(output), "lease", allow) }
    let isSetting = revoke || allow != nil
    guard isSetting != !words.isEmpty else {
      throw ValidationError(
        isSetting ? "--revoke and --allow do not run a command." : "Give a command to run, --revoke or --allow.")
    }
  }

  func run() throws {
    if !words.isEmpty { throw ExitCode(try runCommand()) }
    if revoke { try daemon.perform(.revoke(output: output, ofLease: true)) }
    if let allow { try daemon.change([SettingWords.change(.output(output), "lease", allow)]) }
  }

  private func runCommand() throws -> Int32 {
    let lease = try takeLease()
    return try wait(for: try start(with: lease), lease)
  }

  private func takeLease() throws -> PresentLease {
    let mayControl = LinuxFile.isAccessible(daemon.path, [.read, .write])
    let path = mayControl || LinuxFile.status(daemon.framesPath) == nil ? daemon.path : daemon.framesPath
    let name = words[0].split(separator: "/").last.map { String($0.prefix(15)) } ?? ""
    do throws(PresentClientError) {
      let lease = try PresentLease(
        of: output, name: PresentLimits.isValidName(name) ? name : "lessee", path: path)
      if try !lease.wait(milliseconds: 1000) {
        writeErrorLine("framepath: \(output) is leased to another program (see framepath status); waiting")
        while try !lease.wait(milliseconds: 3_600_000) {}
      }
      return lease
    } catch {
      throw daemon.explained(error)
    }
  }

  /// Starts the command. This process keeps no copy of the device, so that closing it in the command ends the lease.
  private func start(with lease: PresentLease) throws -> ChildProcess {
    guard let device = lease.takeDevice() else { throw HostProbeError("framepathd sent no lease") }
    let number: Int32 = 3
    var child = ChildCommand(words[0], Array(words.dropFirst()))
    child.addedEnvironment["FRAMEPATH_LEASE_FD"] = "\(number)"
    child.descriptors[number] = device.raw
    (child.input, child.output, child.error) = (.inherit, .inherit, .inherit)
    return try ChildProcess(child)
  }

  /// Waits for the command to end; closing the connection then returns the output.
  private func wait(for process: ChildProcess, _ lease: PresentLease) throws -> Int32 {
    // A terminal signals the command as well; SIGTERM from a service manager must be passed on.
    let signals = try SignalFD(SignalFD.terminationSignals + [LeaseCommand.quitSignal])
    let loop = try EventLoop()
    _ = try loop.add(process.pidFD) { _ in loop.stop() }
    var told: EventLoop.Source?
    told = try loop.add(lease.descriptor) { _ in
      guard let why = lease.ending() else { return }
      writeErrorLine("framepath: the lease of \(output) is over: \(why)")
      if let source = told.take() { loop.remove(source) }
    }
    _ = try loop.add(signals.fd.raw) { _ in
      if signals.next() == LeaseCommand.terminateSignal { process.terminate() }
    }
    try loop.run()
    switch process.waitForExit() {
    case .status(let code): return code
    case .signal(let signal): return 128 + signal
    case nil: return 1
    }
  }

  private static let quitSignal: Int32 = 3
  private static let terminateSignal: Int32 = 15
}
