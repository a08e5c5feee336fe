import LinuxIO

/// A stock Linux guest in QEMU, driven by shell commands and QMP.
final class LabGuest {
  /// The guest's graphics device.
  enum Shape: String, CaseIterable {
    case complete
    case vhostUserGPU = "vhost-user-gpu"
  }

  let process: ChildProcess
  private let control: LineChannel
  private let qmp: LineChannel

  /// Boots a guest on `host`'s backend for `vm` and waits until it takes commands.
  convenience init(host: LabHost, vm: String, shape: Shape, qemu: Int = 11, arguments: [String] = []) throws {
    try self.init(
      folder: host.folder, vm: vm, device: shape.rawValue, qemu: qemu,
      arguments: ["--vm-socket", host.backendSocket(vm: vm)] + arguments)
  }

  /// Boots a guest with one of the lab's graphics devices.
  ///
  /// - Parameters:
  ///   - folder: for its sockets.
  ///   - saved: resumes this saved state instead of booting.
  ///   - environment: for the script, `NAME=VALUE`.
  init(
    folder: String, vm: String, device: String, qemu: Int = 11, arguments: [String], saved: String? = nil,
    environment: [String] = []
  ) throws {
    let stem = "\(folder)/\(vm)"
    var command = ChildCommand(
      "env",
      environment + [
        Lab.script("guest"), "--shape", device, "--qemu", "\(qemu)", "--control", "\(stem).control",
        "--qmp", "\(stem).qmp", "--serial", "\(stem).console",
      ] + arguments + (saved == nil ? [] : ["-incoming", "defer"]))
    command.leadsGroup = true
    let started = monotonicNanoseconds()
    process = try ChildProcess(command)
    qmp = try LineChannel(path: "\(stem).qmp", of: process)
    _ = try qmp.ask(#"{"execute":"qmp_capabilities"}"#) { $0.contains("\"return\"") }
    if let saved { try LabGuest.goOn(with: saved, qmp) }
    control = try LineChannel(path: "\(stem).control", of: process)
    if !arguments.contains(where: { $0.hasPrefix("--ovmf") }) {
      try run("true", seconds: Lab.card == nil ? 120 : 900)
      let milliseconds = (monotonicNanoseconds() - started) / 1_000_000
      print("lab: guest \(vm) (\(device), QEMU \(qemu)) took commands after \(milliseconds) ms")
    }
  }

  deinit {
    process.kill()
    process.waitForExit()
  }

  /// Runs a shell command in the guest and returns what it printed; a status other than 0 is an error.
  @discardableResult
  func run(_ command: String, seconds: Int = 60) throws -> String {
    let reply = try control.ask(command, seconds: seconds) { $0.contains("\n%%fp-end ") && $0.hasSuffix("\n") }
    // The last line is "%%fp-end STATUS"; the line break before it is not the command's.
    let lines = reply.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    let status = lines.last?.split(separator: " ").last ?? ""
    let output = lines.dropLast().joined(separator: "\n")
    guard status == "0" else { throw LabError("`\(command)` in the guest ended with \(status):\n\(output)") }
    return output
  }

  /// Draws with the guest's drawing server.
  @discardableResult
  func draw(_ words: String, seconds: Int = 60) throws -> String { try run("fpdraw \(words)", seconds: seconds) }

  /// Sends a shell command without waiting for its end: `reboot -f`, for example.
  func send(_ command: String) throws { try control.send(command) }

  /// Waits until the guest takes commands again after a reboot.
  func waitUntilReady(seconds: Int = 120) throws {
    control.forget()
    try run("true", seconds: seconds)
  }

  /// Unbinds the graphics driver from its device while programs draw, then ends these and unloads the driver.
  ///
  /// - Parameter fromPCI: whether its PCI function loses its driver, too, for a moment.
  func unbind(fromPCI: Bool = false) throws {
    let path = "$(readlink -f /sys/bus/virtio/drivers/virtio_gpu/virtio[0-9]*)"
    if fromPCI {
      try run("d=$(basename $(dirname \(path))); echo $d >/sys/bus/pci/drivers/virtio-pci/unbind", seconds: 300)
    } else {
      try run("echo $(basename \(path)) >/sys/bus/virtio/drivers/virtio_gpu/unbind", seconds: 300)
    }
    try unload()
    if fromPCI { try run("echo $d >/sys/bus/pci/drivers/virtio-pci/bind", seconds: 300) }
  }

  /// Ends the programs that draw, and unloads the graphics driver.
  func unload() throws {
    try run(
      "killall -9 fpdraw; while pidof fpdraw >/dev/null; do sleep 0.1; done; "
        + "while ! rmmod virtio_gpu; do sleep 0.1; done", seconds: 300)
  }

  /// Runs a QMP command such as `stop` or `cont`.
  @discardableResult
  func qmp(_ command: String, arguments: String = "{}") throws -> String {
    try qmp.execute(command, arguments: arguments)
  }
}

extension LineChannel {
  /// Runs a QMP command; an error for an answer is thrown.
  @discardableResult
  func execute(_ command: String, arguments: String = "{}") throws -> String {
    let reply = try ask(#"{"execute":"\#(command)","arguments":\#(arguments)}"#) {
      $0.contains("\"return\"") || $0.contains("\"error\"")
    }
    guard !reply.contains("\"error\"") else { throw LabError("QMP \(command): \(reply)") }
    return reply
  }
}

/// A Unix stream socket on which questions and answers take turns.
final class LineChannel {
  private let socket: UnixSocket
  private let loop: EventLoop
  private var received: [UInt8] = []

  /// Connects, trying again until QEMU has made the socket.
  init(path: String, of process: ChildProcess, seconds: Int = Lab.card == nil ? 30 : 120) throws {
    var connected: UnixSocket?
    for _ in 0..<seconds * 20 {
      do throws(SystemError) {
        connected = try UnixSocket.connect(path, .stream)
        break
      } catch {
        if let exit = process.waitForExit(timeoutMilliseconds: 50) {
          throw LabError("QEMU ended with \(exit) before it made \(path):\n\(process.text(.error))")
        }
      }
    }
    guard let socket = connected.take() else { throw LabError("\(path) did not appear within \(seconds) s") }
    self.socket = socket
    loop = try EventLoop()
    _ = try loop.add(self.socket.fd.raw) { _ in }
  }

  func send(_ line: String) throws {
    try Array("\(line)\n".utf8).withUnsafeBytes { bytes in _ = try socket.send(bytes) }
  }

  /// Drops what has been received.
  func forget() { received = [] }

  /// Sends a line and returns everything received until `isWhole` returns true.
  func ask(
    _ line: String, seconds: Int = Lab.card == nil ? 60 : 300, until isWhole: (String) -> Bool
  ) throws -> String {
    received = []
    try send(line)
    let deadline = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
    var buffer = [UInt8](repeating: 0, count: 65536)
    var fds = ReceivedFDs()
    while monotonicNanoseconds() < deadline {
      try loop.runOnce(timeoutMilliseconds: 200)
      let result = try buffer.withUnsafeMutableBytes { try socket.receive(into: $0, fds: &fds, wait: false) }
      switch result {
      case .bytes(let count): received += buffer[..<count]
      case .wouldBlock: continue
      case .closed, .truncated: throw LabError("the other end of `\(line)` has gone: \(text)")
      }
      if isWhole(text) { return text }
    }
    throw LabError("no answer to `\(line)` within \(seconds) s; so far: \(text)")
  }

  private var text: String { String(decoding: received, as: UTF8.self) }
}
