import ArgumentParser
import HostProbe

/// `framepath bench`: runs the benchmark, which is a program and a part of the installation of its own.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures what frames cost; runs framepath-bench.",
    discussion: """
      framepath-bench is looked for beside this program, then in ../libexec, then in PATH. All arguments are its own: \
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
