import LinuxIO

/// The processes of one setup of `bench guest`, and the commands for its guest.
struct GuestPlan {
  let setup: GuestBench.Setup
  let folder: String
  let width: Int, height: Int
  /// The arguments of Tests/Lab/guest; those after `--` are QEMU's.
  var arguments: [String]

  /// The backend's socket.
  var socket: String { "\(folder)/vm.sock" }

  init(_ setup: GuestBench.Setup, folder: String, width: Int, height: Int) {
    self.setup = setup
    self.folder = folder
    self.width = width
    self.height = height
    let socket = "\(folder)/vm.sock"
    arguments = ["--control", "\(folder)/control"]
    switch setup {
    case .none: arguments += ["--shape", "virtio"]
    case .vnc: arguments += ["--shape", "virtio", "--", "-vnc", "unix:\(folder)/vnc"]
    case .dbus: arguments += ["--shape", "virtio", "--display", "dbus", "--qmp", "\(folder)/qmp"]
    case .peer, .ourVhostUserGPU: arguments += ["--shape", "vhost-user-gpu", "--vm-socket", socket]
    case .ourComplete: arguments += ["--shape", "complete", "--vm-socket", socket]
    case .ourIvshmem:
      arguments += [
        "--shape", "none", "--memory", "768M", "--", "-chardev", "socket,path=\(socket),id=region", "-device",
        "ivshmem-doorbell,chardev=region,vectors=1",
      ]
    }
  }

  /// Whether our daemon shows the frames.
  var needsDaemon: Bool {
    switch setup {
    case .ourVhostUserGPU, .ourComplete, .ourIvshmem: true
    case .none, .vnc, .dbus, .peer: false
    }
  }

  /// Whether a process beside QEMU is the device.
  var hasBackend: Bool { needsDaemon || setup == .peer }

  /// That process; nil if QEMU is the device itself.
  func backend(
    _ programs: BenchPrograms, daemon: String?
  ) throws(BenchError) -> (name: String, command: ChildCommand)? {
    let ours = ["--vm", BenchStage.vm, "--socket-path", socket, "--daemon", daemon ?? ""]
    switch setup {
    case .none, .vnc, .dbus: return nil
    case .peer:
      guard case .program(let name, let executable, let words)? = BenchPeer.installed().first else {
        throw BenchError("QEMU's vhost-user-gpu is not installed (make lab has one)")
      }
      return (name, ChildCommand(executable, words + ["--socket-path=\(socket)"]))
    case .ourVhostUserGPU, .ourComplete:
      return ("framepath-vhost-user-gpu", ChildCommand(try programs.path("framepath-vhost-user-gpu"), ours))
    case .ourIvshmem:
      let command = ChildCommand(
        try programs.path("framepath-ivshmem"), ours + ["--resolution", "\(width)x\(height)"])
      return ("framepath-ivshmem", command)
    }
  }

  /// The guest's command for this many frames. Only its first pictures are drawn.
  func draw(_ frames: Int) -> String {
    setup == .ourIvshmem
      ? "framepath-guest pattern --still --frames \(frames) --size \(width)x\(height)"
      : "draw flip --count \(frames) --size \(width)x\(height)" + (frames < 10 ? " --interval-ms 20" : "")
  }

  /// The guest's output when they are done.
  func success(_ frames: Int) -> String {
    setup == .ourIvshmem ? "frames=\(frames) flipped=\(frames) " : "ok flip count \(frames)"
  }

  /// The rate measured by the guest, without its program's start; nil if it prints none.
  func framesPerSecond(_ text: String) -> Double? {
    guard let word = text.split(whereSeparator: \.isWhitespace).first(where: { $0.hasPrefix("fps=") }) else {
      return nil
    }
    return Double(word.dropFirst(4))
  }

  /// `kvm` or `tcg`, from the output of `guest --print`.
  static func accelerator(ofPrintedCommand text: String) -> String {
    let words = text.split(separator: "\n")
    guard let place = words.firstIndex(of: "-accel"), place + 1 < words.endIndex else { return "unknown" }
    return String(words[place + 1].prefix { $0 != "," })
  }
}
