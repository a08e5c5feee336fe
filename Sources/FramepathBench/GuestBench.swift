import LinuxIO
import StatusModel

/// `framepath bench guest`: real QEMU with a stock Linux guest that flips pages, in front of several displays.
///
/// The guest and its kernels are the lab's (Tests/Lab).
public struct GuestBench {
  /// The display device and its consumer.
  public enum Setup: String, Codable, Sendable, CaseIterable {
    /// QEMU's in-process virtio-gpu without a viewer.
    case none = "qemu-none"
    /// QEMU's in-process virtio-gpu, and a VNC viewer that takes every update raw.
    case vnc = "qemu-vnc"
    /// QEMU's in-process virtio-gpu, and a client of its D-Bus display.
    case dbus = "qemu-dbus"
    /// vhost-user-gpu with QEMU's own backend, without a viewer.
    case peer = "qemu-vhost-user-gpu"
    /// vhost-user-gpu with our backend and daemon.
    case ourVhostUserGPU = "framepath-vhost-user-gpu"
    /// The complete device with our backend and daemon.
    case ourComplete = "framepath-complete"
    /// No graphics device: a program in the guest draws into a region of framepath-ivshmem.
    case ourIvshmem = "framepath-ivshmem"
  }

  /// The setups to measure.
  public var setups = Setup.allCases
  /// Sizes of the picture.
  public var sizes: [(width: Int, height: Int)] = [(1024, 768), (1920, 1080)]
  /// Page flips of each measurement.
  public var frames = 120
  /// Runs of each setup, all in one boot.
  public var runCount = 5
  /// The folder with `guest`.
  public var lab = "Tests/Lab"
  /// Called with the current step.
  public var progress: (String) -> Void = { _ in }

  private let programs: BenchPrograms
  /// A process beside QEMU.
  private typealias Helper = (name: String, process: ChildProcess)

  /// A benchmark of these programs.
  public init(_ programs: BenchPrograms) { self.programs = programs }

  /// Measures every setup; the report gives the reason for a missing one.
  public func run() throws(BenchError) -> GuestReport {
    guard LinuxFile.isAccessible("\(lab)/guest", .execute) else {
      throw BenchError(
        "there is no \(lab)/guest; run it in a checkout after `make lab`, or name the folder with --lab")
    }
    var report = GuestReport(frames: frames, accelerator: try accelerator(), machine: .now(), sizes: [])
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
    var plan = GuestPlan(setup, folder: folder.path, width: width, height: height)
    if setup == .ourIvshmem {
      plan.arguments += ["-initrd", try guestImage(folder)]
    }
    var helpers: [Helper] = []
    var daemon: BenchDaemon?
    if plan.needsDaemon { daemon = try BenchDaemon(programs, outputs: ["headless:\(width)x\(height)@60"]) }
    if let command = try plan.backend(programs, daemon: daemon?.socket) {
      let process = try start(command.command, folder, "backend")
      helpers.append((command.name, process))
    }
    if let daemon { helpers.append(("framepathd", daemon.process)) }
    defer { for helper in helpers where helper.name != "framepathd" { helper.process.stop(timeoutMilliseconds: 2000) } }
    if plan.hasBackend { try GuestBench.waitForSocket(plan.socket, of: helpers.first) }

    let qemu = try start(ChildCommand("\(lab)/guest", plan.arguments), folder, "qemu")
    defer { qemu.stop(timeoutMilliseconds: 2000) }
    let log = "\(folder.path)/qemu.log"
    let control = try LabControl("\(folder.path)/control", qemu, log: log)
    var viewer: (any GuestViewer)?
    switch setup {
    case .vnc: viewer = try VNCViewer("\(folder.path)/vnc")
    case .dbus: viewer = try DBusViewer(QMPClient("\(folder.path)/qmp", qemu, log: log))
    case .none, .peer, .ourVhostUserGPU, .ourComplete, .ourIvshmem: break
    }
    // The first flips set the mode and fault all pages in.
    _ = try control.run(plan.draw(3), viewer)
    var figures = GuestReport.Figures(setup: setup, missing: nil)
    for _ in 0..<max(runCount, 1) {
      figures.runs.append(try run(plan, control, viewer, qemu: qemu.pid, helpers, daemon))
    }
    figures.path = try daemon?.settledScanout().path.rawValue
    if let viewer = viewer as? DBusViewer { figures.path = viewer.sharesMemory ? "shared memory" : "socket" }
    return figures
  }

  /// Runs a number of flips and measures their cost.
  private func run(
    _ plan: GuestPlan, _ control: LabControl, _ viewer: (any GuestViewer)?, qemu: Int32, _ helpers: [Helper],
    _ daemon: BenchDaemon?
  ) throws(BenchError) -> GuestReport.Run {
    let flipped = try daemon?.settledScanout().framesFlipped
    let before = try ThreadFigures(qemu)
    var helpersBefore: [UInt64] = []
    for helper in helpers {
      helpersBefore.append(try ProcessFigures(pid: helper.process.pid, name: helper.name).cpuNanoseconds)
    }
    let pictures = viewer?.pictures ?? 0
    let start = monotonicNanoseconds()
    let text = try control.run(plan.draw(frames), viewer)
    let seconds = Double(monotonicNanoseconds() - start) / 1e9
    let used = try ThreadFigures(qemu).since(before)
    guard text.contains(plan.success(frames)) else { throw BenchError("the guest answered: \(text)") }
    let count = Double(frames)
    var figures = GuestReport.Run()
    figures.framesPerSecond = plan.framesPerSecond(text) ?? count / seconds
    figures.guestMicroseconds = Double(used.guest) / count / 1000
    figures.qemuMicroseconds = Double(used.other) / count / 1000
    for (helper, earlier) in zip(helpers, helpersBefore) {
      let now = try ProcessFigures(pid: helper.process.pid, name: helper.name).cpuNanoseconds
      figures.helpers.append(
        GuestReport.Helper(name: helper.name, microseconds: Double(now - earlier) / count / 1000))
    }
    figures.displayed = viewer.map { UInt64($0.pictures - pictures) }
    if let daemon, let flipped { figures.displayed = try daemon.settledScanout().framesFlipped - flipped }
    return figures
  }

  /// The lab's choice: KVM if a guest boots with it, else TCG.
  private func accelerator() throws(BenchError) -> String {
    let result = try mapped { () throws(SystemError) in
      try ChildProcess.run(ChildCommand("\(lab)/guest", ["--shape", "none", "--print"]), timeoutMilliseconds: 60_000)
    }
    return GuestPlan.accelerator(ofPrintedCommand: result.output)
  }

  /// The guest's initramfs with the program that draws into a region.
  private func guestImage(_ folder: TemporaryFolder) throws(BenchError) -> String {
    let image = "\(folder.path)/guest.cpio"
    let program = try programs.path("framepath-guest")
    let made = try mapped { () throws(SystemError) in
      try ChildProcess.run(
        ChildCommand("\(lab)/with-programs", ["stock", image, program]), timeoutMilliseconds: 60_000)
    }
    guard made.exit.isSuccess else { throw BenchError("cannot make a guest image with framepath-guest: \(made.error)") }
    return image
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
    _ path: String, of helper: Helper?
  ) throws(BenchError) {
    guard let helper else { return }
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while LinuxFile.status(path) == nil {
      if let exit = helper.process.waitForExit(timeoutMilliseconds: 0) {
        throw BenchError("\(helper.name) has ended with \(exit)")
      }
      guard monotonicNanoseconds() < deadline else { throw BenchError("\(helper.name) is not listening after 10 s") }
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
