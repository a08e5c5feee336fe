import ArgumentParser
import FramepathBench

/// `framepath bench empty-backend`: started by the benchmark to measure its own cost.
struct BenchEmptyBackendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "empty-backend", abstract: "Runs a GPU backend that answers every request and does nothing.",
    shouldDisplay: false)

  @Option(help: ArgumentHelp("The socket to listen on.", valueName: "path")) var socketPath: String

  func run() throws { try EmptyBackend.serve(path: socketPath) }
}

/// `framepath bench wake-up-floor`: the reference for the wake-ups of `bench throughput`.
struct BenchWakeUpFloorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wake-up-floor", abstract: "Signals eventfd 4 whenever eventfd 3 is signalled.",
    shouldDisplay: false)

  func run() throws { try WakeUpFloor.serve() }
}
