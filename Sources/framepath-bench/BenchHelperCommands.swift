import ArgumentParser
import FramepathBench

/// `framepath bench empty-backend`: what the bench starts to measure itself.
struct BenchEmptyBackendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "empty-backend", abstract: "A GPU backend that answers everything and does nothing.",
    shouldDisplay: false)

  @Option(help: ArgumentHelp("Listen here.", valueName: "path")) var socketPath: String

  func run() throws { try EmptyBackend.serve(path: socketPath) }
}

/// `framepath bench wake-up-floor`: what `bench throughput` compares wake-ups with.
struct BenchWakeUpFloorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wake-up-floor", abstract: "Answers every raise of descriptor 3 by raising descriptor 4.",
    shouldDisplay: false)

  func run() throws { try WakeUpFloor.serve() }
}
