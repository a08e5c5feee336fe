import LinuxIO

/// `framepath bench guest`: real QEMU with a stock Linux guest that flips pages, in front of several displays.
///
/// The guest and its kernels are the lab's (Tests/Lab).
public struct GuestBench {
  /// What stands between the guest and a screen.
  public enum Setup: String, Codable, Sendable, CaseIterable {
    /// QEMU's in-process virtio-gpu; nobody looks.
    case none = "qemu-none"
    /// QEMU's in-process virtio-gpu, and a VNC viewer that takes every update raw.
    case vnc = "qemu-vnc"
    /// vhost-user-gpu with QEMU's own backend; nobody looks.
    case peer = "qemu-vhost-user-gpu"
    /// vhost-user-gpu with our backend and daemon.
    case ourVhostUserGPU = "framepath-vhost-user-gpu"
    /// The complete device with our backend and daemon.
    case ourComplete = "framepath-complete"
  }

  /// Which setups.
  public var setups = Setup.allCases
  /// Sizes of the picture.
  public var sizes: [(width: Int, height: Int)] = [(1024, 768), (1920, 1080)]
  /// Page flips of each measurement.
  public var frames = 120
  /// The folder with `guest`.
  public var lab = "Tests/Lab"
  /// Told what is measured now.
  public var progress: (String) -> Void = { _ in }

  private let programs: BenchPrograms

  /// A bench of those programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures everything; what cannot be measured says why.
  public func run() throws(BenchError) -> GuestReport {
    guard LinuxFile.isAccessible("\(lab)/guest", .execute) else {
      throw BenchError(
        "there is no \(lab)/guest; run it in a checkout after `make lab`, or name the folder with --lab")
    }
    var report = GuestReport(frames: frames, machine: .now(), sizes: [])
    for size in sizes {
      var figures: [GuestReport.Figures] = []
      for setup in setups {
        progress("\(size.width)x\(size.height): \(setup.rawValue)")
        do throws(BenchError) {
          figures.append(try measure(setup, size.width, size.height))
        } catch {
          figures.append(GuestReport.Figures(setup: setup, missing: error.description))
        }
      }
      report.sizes.append(GuestReport.Size(width: size.width, height: size.height, setups: figures))
    }
    return report
  }

  private func measure(_ setup: Setup, _ width: Int, _ height: Int) throws(BenchError) -> GuestReport.Figures {
    let folder = try mapped { () throws(SystemError) in try TemporaryFolder(prefix: "framepath-guest") }
    var arguments = ["--control", "\(folder.path)/control"]
    var helpers: [(name: String, pid: Int32, process: ChildProcess)] = []
    var daemon: BenchDaemon?
    let socket = "\(folder.path)/vm.sock"
    switch setup {
    case .none: arguments += ["--shape", "virtio"]
    case .vnc: arguments += ["--shape", "virtio", "--", "-vnc", "unix:\(folder.path)/vnc"]
    case .peer:
      arguments += ["--shape", "vhost-user-gpu", "--vm-socket", socket]
      guard case .program(let name, let executable, let words)? = BenchPeer.installed().first else {
        throw BenchError("QEMU's vhost-user-gpu is not installed (make lab has one)")
      }
      let process = try start(ChildCommand(executable, words + ["--socket-path=\(socket)"]), folder, "peer")
      helpers.append((name, process.pid, process))
    case .ourVhostUserGPU, .ourComplete:
      let shape = setup == .ourComplete ? "complete" : "vhost-user-gpu"
      arguments += ["--shape", shape, "--vm-socket", socket]
      let ours = try BenchDaemon(programs, outputs: ["headless:\(width)x\(height)@60"])
      daemon = ours
      let command = ChildCommand(
        try programs.path("framepath-vhost-user-gpu"),
        ["--vm", BenchStage.vm, "--socket-path", socket, "--daemon", ours.socket])
      let process = try start(command, folder, "backend")
      helpers.append(("framepath-vhost-user-gpu", process.pid, process))
      helpers.append(("framepathd", ours.process.pid, ours.process))
    }
    defer { for helper in helpers where helper.name != "framepathd" { helper.process.stop(timeoutMilliseconds: 2000) } }
    try GuestBench.waitForSocket(socket, of: helpers.first)

    let qemu = try start(ChildCommand("\(lab)/guest", arguments), folder, "qemu")
    defer { qemu.stop(timeoutMilliseconds: 2000) }
    let control = try LabControl("\(folder.path)/control", qemu, log: "\(folder.path)/qemu.log")
    let viewer = setup == .vnc ? try VNCViewer("\(folder.path)/vnc") : nil
    // The first flips set the mode and fault everything in.
    _ = try control.run("draw flip --count 3 --interval-ms 20 --size \(width)x\(height)", viewer)
    let counters = try daemon.map { (daemon) throws(BenchError) in try daemon.settledScanout() }
    let before = try ThreadFigures(qemu.pid)
    var helpersBefore: [UInt64] = []
    for helper in helpers {
      helpersBefore.append(try ProcessFigures(pid: helper.pid, name: helper.name).cpuNanoseconds)
    }
    let pictures = viewer?.pictures ?? 0
    let start = monotonicNanoseconds()
    let text = try control.run("draw flip --count \(frames) --size \(width)x\(height)", viewer)
    let seconds = Double(monotonicNanoseconds() - start) / 1e9
    let used = try ThreadFigures(qemu.pid).since(before)
    guard text.contains("ok flip count \(frames)") else { throw BenchError("the guest answered: \(text)") }
    var figures = GuestReport.Figures(setup: setup, missing: nil)
    let count = Double(frames)
    figures.framesPerSecond = count / seconds
    figures.guestMicroseconds = Double(used.guest) / count / 1000
    figures.qemuMicroseconds = Double(used.other) / count / 1000
    for (index, helper) in helpers.enumerated() {
      let now = try ProcessFigures(pid: helper.pid, name: helper.name).cpuNanoseconds
      figures.helpers.append(
        GuestReport.Helper(name: helper.name, microseconds: Double(now - helpersBefore[index]) / count / 1000))
    }
    figures.displayed = viewer.map { UInt64($0.pictures - pictures) } ?? (setup == .none || setup == .peer ? nil : 0)
    if let daemon, let counters {
      let after = try daemon.settledScanout()
      figures.displayed = after.framesFlipped - counters.framesFlipped
      figures.path = after.path
    }
    return figures
  }

  private func start(
    _ command: ChildCommand, _ folder: TemporaryFolder, _ name: String
  ) throws(BenchError) -> ChildProcess {
    var command = command
    command.output = .null
    command.error = .file("\(folder.path)/\(name).log")
    let final = command
    return try mapped { () throws(SystemError) in try ChildProcess(final) }
  }

  private static func waitForSocket(
    _ path: String, of helper: (name: String, pid: Int32, process: ChildProcess)?
  ) throws(BenchError) {
    guard let helper else { return }
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while LinuxFile.status(path) == nil {
      if let exit = helper.process.waitForExit(timeoutMilliseconds: 0) {
        throw BenchError("\(helper.name) has ended with \(exit)")
      }
      guard monotonicNanoseconds() < deadline else { throw BenchError("\(helper.name) does not listen after 10 s") }
      HostProcess.sleep(milliseconds: 10)
    }
  }
}

/// CPU time of QEMU: of the guest's processors, and of the rest.
private struct ThreadFigures {
  var guest: UInt64 = 0
  var other: UInt64 = 0

  init(_ pid: Int32) throws(BenchError) {
    do throws(SystemError) {
      for task in try LinuxFile.list("/proc/\(pid)/task") {
        let words = LinuxFile.text("/proc/\(pid)/task/\(task)/schedstat") ?? ""
        let name = LinuxFile.text("/proc/\(pid)/task/\(task)/comm") ?? ""
        let nanoseconds = UInt64(words.prefix { $0 != " " }) ?? 0
        // `CPU 0/TCG` and `CPU 0/KVM` are the guest's processors.
        if name.hasPrefix("CPU ") { guest += nanoseconds } else { other += nanoseconds }
      }
    } catch {
      throw BenchError("QEMU has ended: \(error)")
    }
  }

  func since(_ earlier: ThreadFigures) -> ThreadFigures {
    var difference = self
    difference.guest &-= earlier.guest
    difference.other &-= earlier.other
    return difference
  }
}
