import ArgumentParser
import CommandSupport
import HybridRegion
import Ivshmem
import LinuxIO
import PresentProtocol
import Sandbox
import Scanout

/// The server that provides virtual machines with regions of graphics memory as ivshmem devices.
///
/// Not asynchronous: signals must be blocked before any other thread starts.
@main
struct FramepathIvshmem: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "framepath-ivshmem",
    abstract: "Serves a region of graphics memory to a virtual machine (ivshmem) or a container.",
    discussion: """
      Every client of the socket gets its own region. Stays in the foreground and prints "ready" on standard error.

      Examples:
        framepath-ivshmem --vm web --socket-path region.sock --size 64M
        framepath-ivshmem --vm box --socket-path region.sock --containers

      QEMU with doorbells:
        -chardev socket,path=region.sock,id=region \\
        -device ivshmem-doorbell,chardev=region,vectors=1
      and without:
        -object memory-backend-file,id=region,share=on,\\
        mem-path=region.sock.region,size=64M \\
        -device ivshmem-plain,memdev=region
      """, version: ProgramVersion.text)

  @Option(name: .long, help: "The socket to listen on; PATH.region is a link to the first region's memory.")
  var socketPath: String?

  @Option(name: .long, help: "The socket's octal file mode, which decides who may connect; 600: only this user.")
  var socketMode = "600"

  @Option(name: .long, help: "An inherited socket; if it is connected, serve that one client and then exit.")
  var fd: Int32?

  @Option(name: .long, help: "The VM's name.")
  var vm = "ivshmem"

  @Option(name: .long, help: "The region's size, a power of two such as 64M. Default: as the slots require.")
  var size: ByteCount?

  @Option(name: .long, help: "The number of frame slots, 2 to 16.")
  var slots = 3

  @Option(name: .long, help: "The largest frame that a slot must hold, such as 1920x1080.")
  var resolution = Resolution(width: 3840, height: 2160)

  @Option(name: .long, help: "The output to use. Default: any free one.")
  var output = ""

  @Option(name: .long, help: "The daemon's socket. Default: $FRAMEPATH_SOCKET, else in a framepath directory in /run.")
  var daemon: String?

  @Flag(name: .long, help: "Clients are processes of this host, so flip times are valid in their clock.")
  var containers = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Restrict the process that serves clients: system calls, files, capabilities. off is for looking for faults.",
      valueName: "on|off"),
    transform: SandboxSwitch.parse)
  var sandbox: SandboxSwitch = .on

  /// The launcher's process id; for the worker that it starts.
  @Option(help: .hidden)
  var worker: Int32?

  func validate() throws {
    guard (socketPath == nil) != (fd == nil) else {
      throw ValidationError("Give either --socket-path or --fd.")
    }
    guard (2...RegionLayout.maxSlotCount).contains(slots) else {
      throw ValidationError("--slots takes 2 to \(RegionLayout.maxSlotCount).")
    }
    // Further clients get the name with a number appended.
    guard PresentLimits.isValidName("\(vm)-\(IvshmemServerOptions.mostGuests)"), !vm.isEmpty else {
      let room = "-\(IvshmemServerOptions.mostGuests)".utf8.count
      throw ValidationError(
        "invalid VM name \"\(vm)\": use 1 to \(PresentLimits.nameByteCount - room) bytes without \"/\" "
          + "or invisible characters, and without a blank at its beginning")
    }
    guard output.isEmpty || PresentLimits.isValidOutputName(output) else {
      throw ValidationError(
        "invalid output name \"\(output)\": use 1 to \(PresentLimits.outputNameByteCount) bytes")
    }
    guard UInt32(socketMode, radix: 8).map({ $0 <= 0o777 }) == true else {
      throw ValidationError("--socket-mode takes an octal mode such as 660.")
    }
    if let fd, fd < 0 { throw ValidationError("--fd \(fd) is not a descriptor.") }
    _ = try layout()
  }

  func run() throws {
    do {
      if let worker { try serve(WorkerLink(launcher: worker)) } else { try launch() }
    } catch let exit as ExitCode {
      throw exit
    } catch {
      writeErrorLine("framepath-ivshmem: \(error)")
      throw ExitCode(1)
    }
  }

  private func layout() throws -> RegionLayout {
    let frame = resolution.frameByteCount
    guard let size else {
      guard let fitting = RegionLayout(fittingFrameBytes: frame, slotCount: slots) else {
        throw ValidationError("\(slots) slots of \(resolution) need more than 4 GiB.")
      }
      return fitting
    }
    guard let layout = RegionLayout(regionByteCount: size.value, slotCount: slots) else {
      throw ValidationError("--size takes a power of two from \((slots + 1) * 64)K to 4G, as QEMU requires.")
    }
    return layout
  }

  private var daemonPath: String { daemon ?? PresentSocket.defaultPath() }

  /// The program is two processes: the launcher, which managers start and end, and the worker, which serves clients.
  private func launch() throws {
    let log = ErrorLog("framepath-ivshmem: ")
    let frontend = Launcher.Frontend(path: socketPath, mode: UInt32(socketMode, radix: 8) ?? 0o600, descriptor: fd)
    var plan = Launcher.Plan(daemonPath: daemonPath, frontend: frontend)
    plan.givesListener = true
    plan.linkPath = socketPath.map { $0 + ".region" }
    let launcher = try Launcher(plan) { log.write($0) }
    if sandbox == .off {
      log.write("warning: --sandbox off: what guests write is read with all rights of this user")
    }
    try launcher.listen()
    let status = try launcher.run()
    if status != 0 { throw ExitCode(status) }
  }

  private func serve(_ link: WorkerLink) throws {
    let signals = try SignalFD(SignalFD.terminationSignals)
    ignoreBrokenPipes()
    let log = ErrorLog("framepath-ivshmem: ")
    let loop = try EventLoop()
    let source = try loop.add(signals.fd.raw) { _ in loop.stop() }
    defer { loop.remove(source) }
    try link.attach(to: loop)

    let layout = try layout()
    var options = IvshmemServerOptions(layout: layout, daemonPath: daemonPath)
    options.name = vm
    options.output = output.isEmpty ? nil : output
    options.sharesClock = containers
    options.raiser = try? EventRaiser()
    options.connect = { path, done in link.connectDaemon(path, done) }
    var isReady = false
    var hasFailed = false
    let ready = {
      if isReady { return }
      isReady = true
      log.write("\(layout.slotCount) slots of \(layout.slotByteCount >> 10) KiB in \(layout.regionByteCount >> 20) MiB")
      log.write("ready")
    }
    if socketPath != nil {
      options.showMemory = { memory in
        link.link(to: memory) { error in
          guard let error else { return ready() }
          log.write("\(error)")
          // Later, clients would lose their memory with this process.
          if isReady { return }
          hasFailed = true
          loop.stop()
        }
      }
    }
    if sandbox == .on, let shortcoming = try link.enter(.server) { log.write("warning: \(shortcoming)") }
    try link.requestFrontend()
    guard let socket = try link.takeFrontend(waits: true) else { throw ExitCode.failure }
    let server = try IvshmemServer(loop: loop, options: options, linkPath: nil, log: { log.write($0) })
    defer { server.stop() }
    server.onHopelessRefusal = {
      hasFailed = true
      loop.stop()
    }
    // If this fails, the launcher has ended.
    server.onConnect = { try? link.isServing() }
    if try socket.isListening() {
      try server.listen(socket)
    } else {
      server.onLastDisconnect = { loop.stop() }
      try server.serve(socket)
    }
    if socketPath == nil { ready() }
    try loop.run()
    if hasFailed { throw ExitCode.failure }
  }
}

/// A size such as `64M`.
struct ByteCount: ExpressibleByArgument {
  let value: Int

  init?(argument: String) {
    guard let count = Scanout.ByteCount(argument), (1...1 << 40).contains(count.bytes) else { return nil }
    value = count.bytes
  }
}

/// A picture's size such as `1920x1080`.
struct Resolution: ExpressibleByArgument, CustomStringConvertible {
  let width: Int
  let height: Int

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  init?(argument: String) {
    guard let size = PixelSize(argument) else { return nil }
    self.init(width: size.width, height: size.height)
  }

  /// Bytes of a picture with rows aligned to 256 bytes.
  var frameByteCount: Int { (width * 4 + 255) / 256 * 256 * height }

  var description: String { "\(width)x\(height)" }
  var defaultValueDescription: String { description }
}
