import LinuxIO
import Testing

@Suite("Child processes", .timeLimit(.minutes(1)))
struct ChildProcessTests {
  private func shell(_ script: String) -> ChildCommand { ChildCommand("/bin/sh", ["-c", script]) }

  @Test func `both streams and the exit status are collected`() throws {
    let result = try ChildProcess.run(shell("echo out; echo err >&2; exit 7"))
    #expect(result.output == "out\n")
    #expect(result.error == "err\n")
    #expect(result.exit == .status(7))
    #expect(!result.exit.isSuccess)
  }

  @Test func `a program is found in PATH, and a missing one is an error at the start`() throws {
    #expect(try ChildProcess.run(ChildCommand("true")).exit.isSuccess)
    let error = #expect(throws: SystemError.self) { try ChildProcess.run(ChildCommand("no-such-program-anywhere")) }
    #expect(error?.description == "starting no-such-program-anywhere: No such file or directory (errno 2)")
  }

  @Test func `a child is killed at its time limit`() throws {
    let before = monotonicNanoseconds()
    let error = #expect(throws: SystemError.self) {
      try ChildProcess.run(ChildCommand("sleep", ["30"]), timeoutMilliseconds: 100)
    }
    #expect(error?.call == "waiting 100 ms for")
    #expect(error?.subject == "sleep 30")
    #expect(monotonicNanoseconds() - before < 10_000_000_000)
  }

  @Test func `the signal that ended a child is reported`() throws {
    let child = try ChildProcess(ChildCommand("sleep", ["30"]))
    #expect(child.waitForExit(timeoutMilliseconds: 0) == nil)
    child.terminate()
    #expect(child.waitForExit(timeoutMilliseconds: 10_000) == .signal(15))
    child.kill()  // after the end: has no effect
    #expect(child.exit == .signal(15))
  }

  @Test func `a child that ignores SIGTERM is still stopped`() throws {
    let child = try ChildProcess(shell("trap '' TERM; echo ready; while :; do sleep 1; done"))
    #expect(child.waitForLine(containing: "ready", from: .output) == "ready")
    #expect(child.stop(timeoutMilliseconds: 100) == .signal(9))
  }

  @Test func `output is read line by line while the child runs`() throws {
    let child = try ChildProcess(shell("echo one >&2; echo two >&2; read x; printf 'got %s' \"$x\" >&2"), piped: true)
    #expect(child.readLine(from: .error) == "one")
    #expect(child.readLine(from: .error) == "two")
    #expect(child.readLine(from: .error, timeoutMilliseconds: 20) == nil)
    try child.write("three\n")
    #expect(child.readLine(from: .error) == "got three")
    #expect(child.readLine(from: .error) == nil)
    #expect(child.text(.error) == "one\ntwo\ngot three")
    #expect(child.waitForExit(timeoutMilliseconds: 10_000) == .status(0))
  }

  @Test func `a child reads its input to the end`() throws {
    let child = try ChildProcess(ChildCommand("cat"), piped: true)
    try child.write("a\nb\n")
    child.closeInput()
    #expect(child.waitForExit(timeoutMilliseconds: 10_000) == .status(0))
    #expect(child.text(.output) == "a\nb\n")
    #expect(throws: SystemError.self) { try child.write("c") }
  }

  @Test func `a child that prints more than a pipe holds does not hang, and only the limit is kept`() throws {
    var command = shell("head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2")
    command.captureLimit = 1000
    let result = try ChildProcess.run(command)
    #expect(result.output == String(repeating: "x", count: 1000))
    #expect(result.error == "end\n")
    #expect(result.exit.isSuccess)
  }

  @Test func `a child gets the environment that it was given`() throws {
    var command = shell("echo $A-$B")
    command.environment = ["A": "1", "B": "2", "PATH": "/bin:/usr/bin"]
    command.addedEnvironment = ["B": "3"]
    #expect(try ChildProcess.run(command).output == "1-3\n")
    command.environment = nil
    #expect(try ChildProcess.run(command).output.hasSuffix("-3\n"))
  }

  @Test func `a child gets descriptors under the requested numbers, and no others`() throws {
    let first = try MemFD.create(name: "first", byteCount: 4096)
    let second = try MemFD.create(name: "second", byteCount: 4096)
    var command = shell("cd /proc/self/fd; readlink 3 4 9; ls -l /proc/self/fd | grep -c memfd:first")
    // Crossed on purpose: each target may be the other's source.
    command.descriptors = [3: second.raw, 4: first.raw, 9: first.raw]
    let lines = try ChildProcess.run(command).output.split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines[0].hasPrefix("/memfd:second"))
    #expect(lines[1].hasPrefix("/memfd:first"))
    #expect(lines[2].hasPrefix("/memfd:first"))
    #expect(lines[3] == "2")
  }

  @Test func `output may go to a file`() throws {
    let directory = try ChildProcess.run(ChildCommand("mktemp", ["-d"])).output.filter { $0 != "\n" }
    defer { _ = try? ChildProcess.run(ChildCommand("rm", ["-r", directory])) }
    var command = shell("cat; echo more")
    command.output = .file("\(directory)/log")
    #expect(try ChildProcess.run(command).output.isEmpty)
    command.input = .file("\(directory)/log")
    command.output = .file("\(directory)/log2")
    #expect(try ChildProcess.run(command).exit.isSuccess)
    #expect(try ChildProcess.run(ChildCommand("cat", ["\(directory)/log2"])).output == "more\nmore\n")
  }

  @Test func `a child ends with its last owner, and its group with the leader`() throws {
    var command = shell("sleep 1000 & echo $!; wait")
    command.leadsGroup = true
    var child: ChildProcess? = try ChildProcess(command)
    let grandchild = try #require(child?.readLine(from: .output))
    child = nil
    let dead = "kill -0 \(grandchild) 2>/dev/null || exit 0; grep -q '^State:.Z' /proc/\(grandchild)/status && exit 0"
    let look = shell("for i in 1 2 3 4 5 6 7 8 9 10; do \(dead); sleep 0.1; done; exit 1")
    #expect(try ChildProcess.run(look).exit.isSuccess)
  }

  @Test func `a child starts with every signal unblocked`() throws {
    let result = try ChildProcess.run(ChildCommand("grep", ["SigBlk", "/proc/self/status"]))
    #expect(result.output == "SigBlk:\t0000000000000000\n")
  }
}

extension ChildProcess {
  fileprivate convenience init(_ command: ChildCommand, piped: Bool) throws(SystemError) {
    var command = command
    command.input = .pipe
    try self.init(command)
  }
}
