import ArgumentParser
import CommandSupport
import DaemonSettings
import Headless
import KMS
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Sandbox
import Scanout
import Seat

/// The daemon that owns the outputs and shows the frames of virtual machines on them.
///
/// Not asynchronous: signals must be blocked before any other thread starts.
@main
struct Framepathd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "framepathd",
    abstract: "Shows the screens of virtual machines on the monitors of this host.",
    discussion: """
      Stays in the foreground. When it is ready, it prints "ready" on standard error and sends READY=1 to \
      $NOTIFY_SOCKET. SIGTERM restores the console and ends it with status 0.

      Examples:
        framepathd
        framepathd --output kms:/dev/dri/card0 --config framepathd.conf
        framepathd --output headless:1920x1080@60 --socket /tmp/framepathd.sock
        framepathd --control-group adm --control-mode 660
        framepathd --leave-input /dev/input/by-id/usb-mouse
      """, version: ProgramVersion.text)

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      auto, headless[:WxH[@Hz]], headless:WxH@Hz-Hz (a variable refresh rate) or \
      kms:/dev/dri/card0[:CONNECTOR[:WxH[@Hz]]]; repeatable.
      """, valueName: "output"))
  var output: [OutputChoice] = [.auto]

  @OptionGroup var sockets: SocketOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Settings in TOML (see framepath settings); reloaded on SIGHUP. Invalid settings are rejected as a whole.",
      valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "Restrict the daemon after its start: system calls, files, capabilities. off is for looking for faults.",
      valueName: "on|off"),
    transform: SandboxSwitch.parse)
  var sandbox: SandboxSwitch = .on

  @Option(
    help: ArgumentHelp(
      """
      Whose console and input devices are closed to this host's shells: auto (those of seat0, if cards are driven), \
      a seat's name, or none.
      """, valueName: "seat"))
  var seat: SeatChoice = .auto

  @Option(
    help: ArgumentHelp(
      "An input device that another program gets, such as QEMU's virtio-input-host; repeatable.", valueName: "path"))
  var leaveInput: [String] = []

  /// For the assistant that the daemon starts.
  @Flag(help: .hidden)
  var assistant = false

  /// For the process that gives the console back.
  @Option(help: .hidden)
  var consoleGuard: String?

  func run() throws {
    do {
      if let consoleGuard { return try ConsoleGuard.run(consoleGuard) }
      if assistant, let config {
        var process = try AssistantProcess(config: config)
        return try process.run()
      }
      try serve()
    } catch {
      writeErrorLine("framepathd: \(error)")
      throw ExitCode(1)
    }
  }

  private func serve() throws {
    let hasConfig = config != nil
    let log = ErrorLog("framepathd: ")
    let signals = try SignalFD(SignalFD.terminationSignals.filter { !hasConfig || $0 != SignalFD.reloadSignal })
    let consoleSignals = try SignalFD(Console.signals)
    let hangUp = try SignalFD(hasConfig ? [SignalFD.reloadSignal] : [])
    ignoreBrokenPipes()
    raiseDescriptorLimit()
    reserveDescriptorTable()
    let loop = try EventLoop()
    let source = try loop.add(signals.fd.raw) { _ in loop.stop() }
    defer { loop.remove(source) }

    let configuration = try config.map { try DaemonAssistant($0, loop: loop) }
    let settings = try configuration?.read() ?? []
    var sockets = try DaemonSockets(self.sockets, file: settings)
    let listening = try ServerSocket.open(sockets.path, sockets.access)
    let controlling = try ServerSocket.open(sockets.controlPath, sockets.controlAccess)
    let paths = [listening.path, controlling.path]
    try configuration?.setPaths(paths)
    let hasCards = output.contains { !$0.isHeadless }
    let seat = try DaemonSeat.take(
      seat, leaving: leaveInput, hasCards: hasCards && KMSCard.areThereAny, signals: consoleSignals, loop: loop,
      log: log)
    defer { seat?.close() }
    let sandbox = DaemonSandbox(
      sandbox, sockets: paths, hasCards: hasCards, hasSeat: seat != nil, log: log)
    try sandbox.giveUpRights()
    let set = try OutputSet(output, loop: loop) { log.write($0) }
    defer { set.close() }
    let parkedMode = DisplayMode(width: 1024, height: 768, refreshMillihertz: 60_000)
    let server = try Server(
      loop: loop, outputs: set.outputs, socket: listening, control: controlling,
      makeParkedOutput: { name in try HeadlessOutput(name: name, mode: parkedMode, loop: loop) },
      log: { log.write($0) })
    defer { server.close() }
    seat?.follow(server, set)
    set.onAdded = { entry in
      do { try server.add(entry) } catch { log.write("\(entry.name): \(error)") }
    }
    defer { set.onAdded = nil }

    if let configuration { try apply(settings, of: configuration, server) }
    let reload = try loop.add(hangUp.fd.raw) { _ in
      _ = hangUp.next()
      guard let configuration else { return }
      configuration.reload { result in
        do {
          let settings = try result.get()
          try apply(settings, of: configuration, server)
          if let line = sockets.reload(settings) { log.write(line) }
          configuration.setAccess(frames: sockets.access, control: sockets.controlAccess) { result in
            do {
              try result.get()
              log.write("\(configuration.path) reloaded")
            } catch {
              log.write("\(error); the other settings of \(configuration.path) are in use")
            }
          }
        } catch {
          log.write("\(error); settings unchanged")
        }
      }
    }
    defer { loop.remove(reload) }

    for entry in set.outputs {
      let info = entry.output.info
      log.write("\(entry.name) \(info.mode) (\(info.kind.rawValue))")
    }
    try sandbox.filterCalls()
    log.write("listening at \(server.path), for control at \(server.controlPath)")
    log.write("ready")
    notifyServiceManager("READY=1")
    try loop.run()
    notifyServiceManager("STOPPING=1")
    log.write("ending")
  }

  private func apply(_ changes: [SettingChange], of file: DaemonAssistant, _ server: Server) throws {
    do {
      try server.change(DaemonSockets.others(changes))
    } catch {
      throw ConfigurationError(description: "\(file.path):\(error.line.map { "\($0):" } ?? "") \(error.reason)")
    }
  }
}
