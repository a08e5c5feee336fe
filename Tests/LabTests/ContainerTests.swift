import LinuxIO
import StatusModel
import Testing

/// Containers that bring their own region over the daemon's socket.
@Suite("Region of a container", .serialized)
struct ContainerTests {
  /// A command that runs the pattern client as another user, in its own user and mount namespace, without privileges.
  private func container(
    _ host: LabHost, program name: String = "framepath-guest", _ arguments: [String]
  ) throws -> ChildCommand {
    // The program and the socket must be where an unknown user may reach them.
    let program = "\(host.folder)/\(name)"
    for words in [
      ["cp", "-f", Lab.program(name), program], ["chmod", "755", host.folder, program],
      ["chmod", "666", host.socket],
    ] {
      #expect(try ChildProcess.run(ChildCommand(words[0], Array(words.dropFirst()))).exit.isSuccess)
    }
    return ChildCommand(
      "setpriv",
      [
        "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", "unshare", "--user",
        "--map-user=1000", "--mount", "env", "FRAMEPATH_SOCKET=\(host.socket)", program,
      ] + arguments)
  }

  @Test func `a container of another user presents at the output's rate through the socket alone, without a copy`()
    throws
  {
    let host = try LabHost(outputs: ["headless:1920x1080@60"])
    var command = try container(host, ["pattern", "--name", "box", "--frames", "300", "--still", "--hold", "60"])
    command.input = .pipe
    let client = try ChildProcess(command)
    let figures = try #require(client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 60_000))
    print("lab: container by FRAMEPATH_SOCKET: \(figures)")
    #expect(figures.contains("frames=300 flipped=300 superseded=0 failed=0 refused=0"))
    // A still picture is the one that its slot was given first.
    let picture = try host.snapshot(vm: "box")
    let wanted = (1...3).map { Picture.regionPattern(width: 1920, height: 1080, frame: $0) }
    #expect(wanted.contains(picture))
    let status = try host.framepath(["status", "--json"])
    #expect(status.contains(#""cpuCopies":0,"copiedBytes":0"#))
    #expect(status.contains(#""path":"direct""#) && status.contains(#""kind":"container""#))
  }

  @Test func `a container's region continues with the next daemon after a crash`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let client = try ChildProcess(try container(host, ["pattern", "--name", "box", "--frames", "600"]))
    try host.waitForFrames(vm: "box")
    try host.restartDaemon()
    #expect(try ChildProcess.run(ChildCommand("chmod", ["666", host.socket])).exit.isSuccess)
    let figures = try #require(client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 60_000))
    print("lab: container and a killed daemon: \(figures)")
    #expect(figures.contains("frames=600") && figures.contains("refused=0"))
  }

  @Test func `a container that writes garbage over its region costs its neighbour no frame`() throws {
    let host = try LabHost(outputs: ["headless:1920x1080@60", "headless:1280x720@60"])
    let bad = try ChildProcess(
      try container(host, program: "framepath-bench", ["garbage", "--name", "bad", "--seconds", "120"]))
    try LabHost.wait("the client to connect") { try host.status().vms.contains { $0.name == "bad" } }
    let good = try ChildProcess.run(
      try container(host, ["pattern", "--name", "good", "--frames", "300", "--still"]), timeoutMilliseconds: 60_000)
    #expect(good.output.contains("frames=300 flipped=300 superseded=0 failed=0 refused=0"))
    #expect(bad.waitForExit(timeoutMilliseconds: 0) == nil)
    bad.kill()
    bad.waitForExit()
  }

  // MARK: - The C functions

  private func start(
    _ program: String, _ host: LabHost, frames: Int, name: String = "box"
  ) throws -> ChildProcess {
    var command = ChildCommand("env", ["FRAMEPATH_SOCKET=\(host.socket)", program, "\(frames)", "--daemon", name])
    command.input = .pipe
    return try ChildProcess(command)
  }

  @Test
  func `a C program brings its own region through the socket and shows 300 frames of 1080p exactly, without a copy`()
    throws
  {
    let host = try LabHost(outputs: ["headless:1920x1080@60"])
    let client = try start(CExample.compile(into: host.folder), host, frames: 300)
    let figures = client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 60_000)
    #expect(figures == "frames=300 flipped=300 superseded=0 failed=0", Comment(rawValue: client.text(.error)))
    try host.expect(vm: "box", shows: .regionPattern(width: 1920, height: 1080, frame: 300))
    let status = try host.framepath(["status", "--json"])
    #expect(status.contains(#""cpuCopies":0,"copiedBytes":0"#))
    #expect(status.contains(#""path":"direct""#) && status.contains(#""kind":"container""#))
  }

  @Test func `a C++ program of another user, whose doorbell the daemon does not signal, loses no frame`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let program = try CExample.compile(into: host.folder, compiler: ["g++", "-x", "c++", "-std=gnu++17"])
    for words in [["chmod", "755", host.folder], ["chmod", "666", host.socket]] {
      #expect(try ChildProcess.run(ChildCommand(words[0], Array(words.dropFirst()))).exit.isSuccess)
    }
    var command = ChildCommand(
      "setpriv",
      [
        "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "FRAMEPATH_SOCKET=\(host.socket)", program,
        "120", "--daemon", "box",
      ])
    command.input = .pipe
    let client = try ChildProcess(command)
    let figures = client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 60_000)
    #expect(figures == "frames=120 flipped=120 superseded=0 failed=0", Comment(rawValue: client.text(.error)))
    try host.expect(vm: "box", shows: .regionPattern(width: 640, height: 480, frame: 120))
  }

  @Test func `a C program continues with the next daemon after a crash`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let client = try start(CExample.compile(into: host.folder), host, frames: 400)
    try host.waitForFrames(vm: "box")
    try host.restartDaemon()
    let figures = try #require(client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 60_000))
    print("lab: C container and a killed daemon: \(figures)")
    #expect(figures.hasPrefix("frames=400 "))
    try host.expect(vm: "box", shows: .regionPattern(width: 640, height: 480, frame: 400))
  }

  @Test func `a C program gets a clear error without a daemon, when refused, and for another version`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let program = try CExample.compile(into: host.folder)
    func error(_ program: String, name: String = "box", socket: String? = nil) throws -> String {
      let words = ["FRAMEPATH_SOCKET=\(socket ?? host.socket)", program, "1", "--daemon", name]
      let result = try ChildProcess.run(ChildCommand("env", words), timeoutMilliseconds: 20_000)
      #expect(!result.exit.isSuccess)
      return result.error
    }
    #expect(try error(program, socket: "\(host.folder)/none").contains("no framepathd listens on the socket"))
    #expect(try error(program, name: "a/b").contains("the host refused this client: "))
    let first = try start(program, host, frames: 1, name: "first")
    _ = first.waitForLine(containing: "frames=1 ", from: .output)
    #expect(
      try error(program, name: "first").contains(
        "another client of the daemon has that name: process \(first.pid) is connected as first"))
    let newer = try CExample.compile(into: host.folder, changing: "FRAMEPATH_PROTOCOL_VERSION 3u", to: "4u")
    #expect(try error(newer).contains("the host and this program have different versions: "))
    let newerRegion = try CExample.compile(into: host.folder, changing: "FRAMEPATH_REGION_MAJOR 1u", to: "2u")
    #expect(try error(newerRegion).contains("the host and this program have different versions"))
    // Other clients were not affected.
    #expect(try host.framepath(["status", "--json"]).contains(#""name":"first""#))
  }
}

/// The C example of the documentation, compiled with all warnings.
enum CExample {
  /// - Parameters:
  ///   - definition: a name and its value in the headers, which gets another value.
  /// - Returns: the program's path.
  static func compile(
    into folder: String, compiler: [String] = ["gcc", "-std=gnu11"], changing definition: String? = nil,
    to value: String = ""
  ) throws -> String {
    var headers = "\(Lab.root)/Sources/CFramepathABI/include"
    if let definition, let name = definition.split(separator: " ").first {
      let changed = "\(folder)/\(name)"
      let command =
        "cp -r \(headers) \(changed) && sed -i 's/\(definition)/\(name) \(value)/' \(changed)/*.h"
      guard try ChildProcess.run(ChildCommand("sh", ["-c", command])).exit.isSuccess else { throw LabError(command) }
      headers = changed
    }
    let program = "\(folder)/region-pattern" + (definition?.split(separator: " ").first ?? "")
    let compiled = try ChildProcess.run(
      ChildCommand(
        compiler[0],
        compiler.dropFirst() + [
          "-O2", "-Wall", "-Wextra", "-Werror", "-I", headers, "\(Lab.root)/Docs/Examples/region-pattern.c", "-o",
          program,
        ]), timeoutMilliseconds: 60_000)
    guard compiled.exit.isSuccess else { throw LabError(compiled.error) }
    return program
  }
}
