import ArgumentParser
import CommandSupport
import FramepathBench
import Scanout

/// `framepath bench copies`.
struct BenchCopiesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copies",
    abstract: "Counts transfers per frame on the classic path, on ours, and without a copy.",
    discussion: """
      A transfer is one move of a whole frame; the hardware's read counts as one. legacy: guest framebuffer, virtual \
      graphics memory, host framebuffer (Xvfb's if it is installed), scan-out. hybrid: one copy by \
      framepath-vhost-user-gpu. direct: the guest's own pages. Copies are counted twice: by the copy ledger, and by an \
      interposed memcpy in both processes.

      Examples:
        framepath bench copies
        framepath bench copies --frames 300 --size 1000B,1920x1080 --json
      """)

  @Option(help: ArgumentHelp("Frames per path.", valueName: "count")) var frames = 3000
  @Option(help: ArgumentHelp("Frame sizes, in pixels or in bytes.", valueName: "WxH|NB,…"))
  var size = CopySizes([(250, 1)])
  @Option(help: ArgumentHelp("The paths to measure.", valueName: "legacy,hybrid,direct")) var paths = CopyPaths()
  @Flag(inversion: .prefixedNo, help: "Also count memcpy in both processes.") var interposed = true
  @Flag(name: .customLong("xserver"), inversion: .prefixedNo, help: "Use Xvfb for the legacy path, if it is installed.")
  var xServer = true
  @OptionGroup var options: BenchOptions

  func validate() throws {
    guard (1...1_000_000).contains(frames) else { throw ValidationError("--frames takes 1 to 1000000.") }
  }

  func run() throws {
    try options.supervised {
      var bench = CopiesBench(options.benchPrograms)
      bench.frames = frames
      bench.sizes = size.sizes
      bench.paths = paths.paths
      bench.countsInterposed = interposed
      bench.usesXServer = xServer
      bench.progress = options.progress
      let report = try bench.run()
      try options.show(report, BenchCopiesCommand.lines(report), report.page(command: options.commandLine))
    }
  }

  /// The report as text.
  static func lines(_ report: CopiesReport) -> [String] {
    var lines = [report.machine.line]
    for size in report.sizes {
      let bytes = size.paths.first?.pictureBytes ?? 0
      lines += ["", "\(size.width)x\(size.height), \(bytes) bytes, \(report.frames) frames"]
      var table = TextTable([
        "PATH", ">TRANSFERS", ">CPU COPIES", ">SCANNED OUT", ">BYTES MOVED PER FRAME", ">COPIED", ">MEMCPY SAW",
        ">DIFFERENCE", ">SECONDS", ">CPU µs PER FRAME", "PICTURE",
      ])
      for path in size.paths {
        table.add([
          path.path.rawValue, "\(path.transfers)", "\(path.cpuCopies)", "\(path.scannedOut)",
          TextTable.fixed(path.movedBytesPerFrame, decimals: 0), "\(path.copiedBytes)",
          path.interposedBytes.map { "\($0)" } ?? "-",
          path.interposedDifference.map { "\(TextTable.fixed($0 * 100, decimals: 3)) %" } ?? "-",
          TextTable.fixed(path.seconds, decimals: 1), TextTable.fixed(path.microsecondsPerFrame, decimals: 1),
          path.isPictureRight ? "right (\(path.shownChecksum))" : "WRONG: \(path.shownChecksum)",
        ])
        table.add(note: path.means)
      }
      lines += table.lines
    }
    return lines
  }
}

/// `1000B,1920x1080`.
struct CopySizes: ExpressibleByArgument {
  var sizes: [(width: Int, height: Int)]

  init(_ sizes: [(width: Int, height: Int)]) { self.sizes = sizes }

  init?(argument: String) {
    sizes = []
    for text in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let size = CopySizes.bytes(text) ?? CopySizes.pixels(text) else { return nil }
      sizes.append(size)
    }
  }

  var defaultValueDescription: String { sizes.map { "\($0.width * $0.height * 4)B" }.joined(separator: ",") }

  private static func pixels(_ text: Substring) -> (width: Int, height: Int)? {
    PixelSize(text, in: 1...8192).map { ($0.width, $0.height) }
  }

  /// The size of a picture with exactly this many bytes and as few rows as possible.
  private static func bytes(_ text: Substring) -> (width: Int, height: Int)? {
    guard text.hasSuffix("B"), let count = Int(text.dropLast()), count > 0, count % 4 == 0, count <= 1 << 28 else {
      return nil
    }
    let pixels = count / 4
    for height in 1...8192 where pixels % height == 0 && pixels / height <= 4096 {
      return pixels / height > 0 ? (pixels / height, height) : nil
    }
    return nil
  }
}

/// `legacy,hybrid`.
struct CopyPaths: ExpressibleByArgument {
  var paths = CopiesPath.allCases

  init() {}

  init?(argument: String) {
    paths = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let path = CopiesPath(rawValue: String(name)), !paths.contains(path) else { return nil }
      paths.append(path)
    }
  }

  var defaultValueDescription: String { paths.map(\.rawValue).joined(separator: ",") }
}
