import LinuxIO

/// A directory for one test.
public func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
  let directory = try ChildProcess.run(ChildCommand("mktemp", ["-d"])).output.filter { $0 != "\n" }
  defer { _ = try? ChildProcess.run(ChildCommand("rm", ["-rf", directory])) }
  try body(directory)
}

/// Creates files and their directories in `directory`.
public func makeFiles(_ directory: String, _ files: [String: String], links: [String: String] = [:]) throws {
  for (name, text) in files {
    let path = "\(directory)/\(name)"
    let parent = path.split(separator: "/").dropLast().joined(separator: "/")
    _ = try ChildProcess.run(ChildCommand("mkdir", ["-p", "/\(parent)"]))
    try LinuxFile.replace(path, with: Array(text.utf8))
  }
  for (name, target) in links { _ = try ChildProcess.run(ChildCommand("ln", ["-s", target, "\(directory)/\(name)"])) }
}
