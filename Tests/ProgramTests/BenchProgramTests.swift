import Glibc
import LinuxIO
import TestSupport
import Testing

/// `framepath bench` runs framepath-bench in its place.
@Suite(.timeLimit(.minutes(1)))
struct BenchProgramTests {
  /// An executable script.
  private func script(_ path: String, _ text: String) throws {
    try LinuxFile.replace(path, with: Array("#!/bin/sh\n\(text)\n".utf8))
    #expect(chmod(path, 0o755) == 0)
  }

  /// A copy of framepath, alone in its own directory.
  private func install(_ folder: TemporaryFolder) throws -> String {
    let program = "\(folder.path)/bin/framepath"
    for words in [
      ["mkdir", "-p", "\(folder.path)/bin", "\(folder.path)/libexec", "\(folder.path)/path"],
      ["cp", Programs.path("framepath"), program],
    ] {
      #expect(try ChildProcess.run(ChildCommand(words[0], Array(words.dropFirst()))).exit.isSuccess)
    }
    return program
  }

  private func run(_ program: String, _ arguments: [String], path: String) throws -> ChildResult {
    var command = ChildCommand(program, ["bench"] + arguments)
    command.addedEnvironment = ["PATH": path]
    return try ChildProcess.run(command, timeoutMilliseconds: 30_000)
  }

  @Test func `the benchmark is searched for beside the program, in libexec, then in PATH`() throws {
    let folder = try TemporaryFolder()
    defer { _ = try? ChildProcess.run(ChildCommand("rm", ["-r", folder.path])) }
    let program = try install(folder)
    let path = "\(folder.path)/path:/usr/bin:/bin"
    let missing = try run(program, ["copies"], path: path)
    #expect(missing.exit == .status(1))
    #expect(missing.error.hasPrefix("Error: framepath-bench is not installed: "), "\(missing.error)")
    #expect(missing.error.contains("make install-bench"))
    for (place, number) in [("path", 3), ("libexec", 2), ("bin", 1)] {
      try script("\(folder.path)/\(place)/framepath-bench", "echo \(place) \"$@\"; exit \(number)")
      let result = try run(program, ["copies", "--frames", "10", "--help", "-o", "a b"], path: path)
      #expect(result.exit == .status(Int32(number)))
      #expect(result.output == "\(place) copies --frames 10 --help -o a b\n")
    }
    // A folder or a file that cannot be run is passed over.
    removeFile("\(folder.path)/bin/framepath-bench")
    #expect(mkdir("\(folder.path)/bin/framepath-bench", 0o755) == 0)
    #expect(chmod("\(folder.path)/libexec/framepath-bench", 0o644) == 0)
    #expect(try run(program, [], path: path).exit == .status(3))
  }

  @Test func `signals reach the benchmark itself`() throws {
    let folder = try TemporaryFolder()
    defer { _ = try? ChildProcess.run(ChildCommand("rm", ["-r", folder.path])) }
    let program = try install(folder)
    try script(
      "\(folder.path)/bin/framepath-bench", "trap 'echo ended; exit 7' TERM; echo $$; while :; do sleep 0.05; done")
    let bench = try TestProgram(ChildCommand(program, ["bench"]))
    #expect(try bench.nextLine() == "\(bench.pid)")
    #expect(try bench.end() == .status(7))
    #expect(try bench.nextLine() == "ended")
  }

  @Test func `the tool itself links nothing of the benchmark`() throws {
    // Mangled names of modules: length and name.
    let modules = "14FramepathBench|14FrameSimulator|17VhostUserFrontend"
    func symbols(_ program: String) throws -> Int {
      let script = "nm '\(Programs.path(program))' | grep -cE '\(modules)'"
      let result = try ChildProcess.run(ChildCommand("sh", ["-c", script]), timeoutMilliseconds: 30_000)
      return try #require(Int(result.output.split(separator: "\n").first ?? ""))
    }
    #expect(try symbols("framepath") == 0)
    #expect(try symbols("framepath-bench") > 1000)
  }
}
