public import LinuxIO

/// The programs of this package: those of `$FRAMEPATH_BIN`, else those that were built with the tests.
public enum Programs {
  /// The folder that they are in.
  public static let folder: String = {
    if let given = environmentVariable("FRAMEPATH_BIN") { return given }
    let path = LinuxFile.linkTarget("/proc/self/exe") ?? ""
    return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  }()

  /// A program's path.
  public static func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Runs a program to its end, 30 s at most.
  public static func run(
    _ name: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws(SystemError) -> ChildResult {
    var command = ChildCommand(path(name), arguments)
    command.addedEnvironment = environment
    return try ChildProcess.run(command, timeoutMilliseconds: 30_000)
  }
}
