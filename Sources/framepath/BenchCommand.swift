import ArgumentParser
import HostProbe

/// `framepath bench`: runs the benchmark, a separate program that is installed separately.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures the cost of frames; runs framepath-bench.",
    discussion: """
      framepath-bench is searched for beside this program, in ../libexec and in PATH. All arguments are passed to it: \
      see `framepath bench --help`.
      """)

  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("framepath-bench's arguments.", valueName: "argument"))
  var arguments: [String] = []

  func run() throws {
    guard let program = HelperProgram.path("framepath-bench") else {
      throw HostProbeError(
        "framepath-bench is not installed: it is neither beside this program nor in ../libexec nor in PATH; "
          + "install it with `make install-bench`, or build it with `swift build -c release --product framepath-bench`")
    }
    throw HelperProgram.replaceThisProcess(with: program, arguments)
  }
}
