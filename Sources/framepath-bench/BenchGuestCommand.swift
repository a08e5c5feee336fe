import ArgumentParser
import CommandSupport
import FramepathBench

/// `framepath bench guest`.
struct BenchGuestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "guest",
    abstract: "Measures real QEMU guests that flip pages, with QEMU's displays and ours.",
    discussion: """
      Needs the lab (make lab): its guest is a stock Debian kernel with a drawing program. Each setup boots its own \
      guest. CPU times cover all threads and processes; those of the guest's processors are separate, because without \
      KVM they run in an emulator.

      Setups: qemu-none (QEMU's virtio-gpu without a viewer), qemu-vnc (a VNC viewer that reads every change in raw \
      encoding), qemu-dbus (a client of QEMU's D-Bus display, with shared memory if QEMU offers it), \
      qemu-vhost-user-gpu (QEMU's own backend without a viewer), framepath-vhost-user-gpu, framepath-complete, \
      framepath-ivshmem (no graphics device: a program in the guest draws into a region).

      Example:
        framepath bench guest --sizes 1920x1080 --frames 300 -o guest.html
      """)

  @Option(help: ArgumentHelp("Frame sizes.", valueName: "WxH,…"))
  var sizes = BenchSizes([(1024, 768), (1920, 1080)])
  @Option(help: ArgumentHelp("Page flips per measurement.", valueName: "count")) var frames = 120
  @Option(help: ArgumentHelp("The setups to measure.", valueName: "name,…")) var setups = GuestSetups()
  @Option(help: ArgumentHelp("The directory of the lab's scripts.", valueName: "folder")) var lab = "Tests/Lab"
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard (1...100_000).contains(frames) else { throw ValidationError("--frames takes 1 to 100000.") }
  }

  func run() throws {
    try options.supervised {
      var bench = GuestBench(options.benchPrograms)
      bench.sizes = sizes.sizes
      bench.frames = frames
      bench.runCount = options.runs
      bench.setups = setups.setups
      bench.lab = lab
      bench.progress = options.progress
      let report = try bench.run()
      try options.show(report, BenchGuestCommand.lines(report), report.page(command: options.commandLine))
    }
  }

  /// The report as text.
  static func lines(_ report: GuestReport) -> [String] {
    var lines = [
      report.machine.line,
      "\(report.frames) flips under \(report.accelerator), all runs in one boot: median (min…max); "
        + "CPU times in µs per flip",
    ]
    for size in report.sizes {
      lines += ["", "\(size.width)x\(size.height)"]
      var table = TextTable([
        "SETUP", ">FLIPS/S", ">DISPLAYED", "PATH", ">QEMU BUT GUEST", ">BESIDE QEMU", ">HOST IN ALL", ">GUEST'S CPUS",
        ">ALL PER DISPLAYED",
      ])
      for figures in size.setups {
        if let missing = figures.missing {
          table.add([figures.setup.rawValue, "-"])
          table.add(note: missing)
          continue
        }
        let text = { (decimals: Int, figure: (GuestReport.Run) -> Double) -> String in
          figures.spread(figure).text(decimals: decimals)
        }
        let displayed = figures.spreadOfKnown { $0.displayed.map { Double($0) } }
        let all = figures.spreadOfKnown { $0.allMicrosecondsPerDisplayed(frames: report.frames) }
        table.add([
          figures.setup.rawValue, text(1) { $0.framesPerSecond }, displayed?.text(decimals: 0) ?? "-",
          figures.path ?? "-", text(0) { $0.qemuMicroseconds }, text(0) { $0.besideMicroseconds },
          text(0) { $0.hostMicroseconds }, text(0) { $0.guestMicroseconds }, all?.text(decimals: 0) ?? "-",
        ])
      }
      lines += table.lines
    }
    return lines
  }
}

/// `qemu-none,framepath-complete`.
struct GuestSetups: ExpressibleByArgument {
  var setups = GuestBench.Setup.allCases

  init() {}

  init?(argument: String) {
    setups = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let setup = GuestBench.Setup(rawValue: String(name)), !setups.contains(setup) else { return nil }
      setups.append(setup)
    }
  }

  var defaultValueDescription: String { setups.map(\.rawValue).joined(separator: ",") }
}
