import ArgumentParser
import CommandSupport
import GuestMemory
import LinuxIO
import PresentProtocol
import Sandbox
import VhostUser
import VirtioGPU

/// The backend program. Its options follow QEMU's backend program conventions (docs/interop/vhost-user.rst).
@main
struct Backend: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "framepath-vhost-user-gpu",
    abstract: "Shows one VM's screen through framepathd: a virtio-gpu device for QEMU.",
    discussion: """
      Serves one QEMU over a vhost-user socket and ends with it. Supports the complete device
      (vhost-user-test-device-pci, QEMU 10.2 and later) and vhost-user-gpu-pci; `framepath qemu-args` prints QEMU's
      arguments. framepathd may be started later or restarted; the guest keeps running.

      A guest with blobs (the complete device) is shown from its own pages, without a copy, and is paced by its monitor.
      The frames of a guest with 2D resources (vhost-user-gpu-pci) are copied once, and it does not wait. With --path
      direct its pages are shown too, but it may draw into them while they are on screen, which tears.

      Examples:
        framepath-vhost-user-gpu --vm web --socket-path /run/framepath/web.sock
        framepath-vhost-user-gpu --vm wall --socket-path wall.sock \\
          --outputs HDMI-A-1,DP-2
      """, version: ProgramVersion.text)

  @Option(help: ArgumentHelp("Listen here and serve the first QEMU that connects.", valueName: "path"))
  var socketPath: String?

  @Option(help: ArgumentHelp("Serve the QEMU at the other end of this inherited socket.", valueName: "number"))
  var fd: Int32?

  @Flag(help: "Print this backend's capabilities as JSON, for libvirt and other managers, and exit.")
  var printCapabilities = false

  @Option(
    help: ArgumentHelp(
      "The VM's name in status and snapshots; must be unique in the daemon. Default: libvirt's name of the domain.",
      valueName: "name"))
  var vm: String?

  @Option(
    help: ArgumentHelp(
      "The outputs to use as the VM's monitors, in order. Default: any free one.", valueName: "name,…"))
  var outputs: String?

  @Option(help: ArgumentHelp("framepathd's socket.", valueName: "path"))
  var daemon: String = PresentSocket.defaultPath()

  @Option(
    help: ArgumentHelp(
      "auto: the best path that cannot tear; copy: always copies; direct: copies only if it must, and may tear.",
      valueName: "auto|copy|direct"),
    transform: Backend.pathPolicy)
  var path: PathPolicy = .auto

  @Option(
    help: ArgumentHelp(
      """
      Limit of this process's memory for the guest's graphics resources, not counting the guest's own pages. Default: \
      the host's setting device-memory, else 256M.
      """, valueName: "size"),
    transform: Backend.byteCount)
  var maxMemory: Int?

  @Option(
    help: ArgumentHelp(
      """
      Blank the screen this long after the guest has stopped the device; never: keep the last picture. Default: the \
      host's setting blank-stopped, else never.
      """, valueName: "seconds|never"),
    transform: Backend.blankTime)
  var blankStopped: DeviceOptions.BlankTime?

  @Option(
    help: ArgumentHelp(
      "Restrict the process that serves the guest: system calls, files, capabilities. off is for looking for faults.",
      valueName: "on|off"),
    transform: SandboxSwitch.parse)
  var sandbox: SandboxSwitch = .on

  @Flag(help: "Accepted and ignored: guests get 2D only. libvirt passes it for accel3d of any value.")
  var virgl = false

  @Option(help: ArgumentHelp("Accepted and ignored, as --virgl.", valueName: "path"))
  var renderNode: String?

  /// The launcher's process id; for the worker that it starts.
  @Option(help: .hidden)
  var worker: Int32?

  static func main() {
    // Managers may pass other arguments as well; ignore them.
    if CommandLine.arguments.dropFirst().contains("--print-capabilities") {
      print(capabilities)
      return
    }
    main(nil)
  }

  /// Not render-node: libvirt would refuse to start VMs on hosts without one. virgl although guests get 2D: with AppArmor,
  /// libvirt (11.3 and 12.9) starts a domain only if its XML has accel3d, and then demands this feature even of accel3d='no'.
  static let capabilities = """
    {
      "type": "gpu",
      "features": ["virgl"]
    }
    """

  func validate() throws {
    guard (socketPath == nil) != (fd == nil) else {
      throw ValidationError("Give either --socket-path or --fd.")
    }
    if let fd, fd < 0 { throw ValidationError("--fd \(fd) is not a descriptor.") }
    guard PresentLimits.isValidName(name) else {
      throw ValidationError("invalid VM name \"\(name)\": use \(PresentLimits.nameRule)")
    }
    guard outputNames.count <= DeviceConfiguration.maxScanoutCount else {
      throw ValidationError("--outputs names \(outputNames.count) outputs; a VM has at most 16.")
    }
    if let wrong = outputNames.first(where: { !PresentLimits.isValidOutputName($0) }) {
      throw ValidationError(
        "invalid output name \"\(wrong)\": use 1 to \(PresentLimits.outputNameByteCount) bytes, "
          + "and separate names by commas")
    }
  }

  /// `512M`, `2G`, or bytes.
  static func byteCount(_ text: String) throws -> Int {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    let unit = text.last.flatMap { units[$0] }
    guard let number = Int(unit == nil ? text : String(text.dropLast())), number > 0,
      case let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1), !overflow
    else { throw ValidationError("--max-memory takes a size such as 512M or 2G, not '\(text)'.") }
    return bytes
  }

  private static func blankTime(_ text: String) throws -> DeviceOptions.BlankTime {
    guard let time = DeviceOptions.BlankTime(text) else {
      throw ValidationError("--blank-stopped takes 1 to 86400 seconds, or never, not '\(text)'.")
    }
    return time
  }

  private static func pathPolicy(_ text: String) throws -> PathPolicy {
    guard let policy = PathPolicy(rawValue: text) else {
      throw ValidationError("--path takes auto, copy or direct, not '\(text)'.")
    }
    return policy
  }

  private var outputNames: [String] {
    outputs?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
  }

  /// A worker is told its name by its launcher.
  private var name: String { vm ?? "vm-\(worker ?? currentProcessID())" }

  mutating func run() throws {
    let isUnnamed = vm == nil && worker == nil
    if isUnnamed, let domain = LibvirtDomain.name(), PresentLimits.isValidName(domain) { vm = domain }
    let log = Log(vm: name)
    do {
      if let worker {
        try serve(log, enterSandbox(worker, log))
      } else {
        try launch(log, adding: isUnnamed ? vm.map { ["--vm=\($0)"] } ?? [] : [])
      }
    } catch let error as SystemError {
      log.error(error.description)
      throw ExitCode.failure
    }
  }

  /// How long to wait for the answer of a daemon that accepts connections, before serving QEMU without it.
  private static let answerNanoseconds: UInt64 = 2_000_000_000

  private func serve(_ log: Log, _ link: WorkerLink) throws {
    let signals = try SignalFD(SignalFD.terminationSignals)
    let loop = try EventLoop()
    var exit: ExitCode?
    var isServing = false
    let finish = { (code: ExitCode) in
      exit = code
      loop.stop()
    }
    _ = try loop.add(signals.fd.raw) { _ in finish(.success) }
    try link.attach(to: loop)

    let scanoutCount = max(outputNames.count, 1)
    var options = DeviceOptions(memoryLimitBytes: maxMemory, blankTime: blankStopped)
    let memory = GuestMemory()
    let display = try DaemonDisplay(
      loop: loop, path: daemon, vm: name, outputs: outputNames, scanoutCount: scanoutCount, log: log
    ) { path, done in link.connectDaemon(path, done) }
    let backend = GPUBackend(
      loop: loop, display: display, memory: memory,
      configuration: DeviceConfiguration(
        scanoutCount: scanoutCount, memoryLimitBytes: options.memoryLimitInForce, pathPolicy: path,
        stoppedBlankNanoseconds: options.blankNanosecondsInForce))
    display.onWelcome = { display.report(options.inForce) }
    display.onDeviceSettings = { settings in
      options.host = settings
      backend.device.limitMemory(to: options.memoryLimitInForce)
      backend.device.blankStopped(afterNanoseconds: options.blankNanosecondsInForce)
      display.report(options.inForce)
    }
    // A refusal never ends the device of a running guest.
    display.onHopelessRefusal = { if !isServing { finish(.failure) } }
    backend.onRefusal = { log.error("this VM cannot be served: \($0)") }
    backend.device.onMissingScanout = {
      log.warning(
        "the guest asks for scanout \($0), but this VM has \(scanoutCount): name more with --outputs, or lower "
          + "max_outputs of QEMU's device")
    }
    backend.onStuckScreen = {
      log.error(
        "framepathd hangs: it has not taken the stopped guest's pages off the screen for 12 s, and may show what is "
          + "written there until it runs again or ends")
    }
    backend.device.onMissingMemory = { log.error($0) }
    backend.device.onMemoryRefusal = { log.warning("\($0); --max-memory or the setting device-memory raises it") }
    try display.start(device: backend.device)
    // Wait for the daemon's answer before QEMU connects: a VM that it refuses for good must not be started.
    let deadline = monotonicNanoseconds() + Backend.answerNanoseconds
    while display.isUnanswered, exit == nil, monotonicNanoseconds() < deadline {
      try loop.runOnce(timeoutMilliseconds: 100)
    }
    if let exit { throw exit }

    let frontend = FrontendSocket(loop: loop, log: log, link: link) { socket in
      let session = try BackendSession(
        socket: socket, loop: loop, memory: memory, device: backend, log: { log.info($0) }
      ) { end in
        if case .failed(let error) = end {
          log.error("\(error)")
          return finish(.failure)
        }
        finish(.success)
      }
      isServing = true
      loop.beforeWait = { [weak session] in session?.checkMemory() }
      backend.onConfigurationChange = { [weak session] in session?.configChanged() }
      return session
    }
    try frontend.open()
    try loop.run()
    loop.beforeWait = nil
    frontend.close()
    if let exit, exit != .success { throw exit }
  }
}
