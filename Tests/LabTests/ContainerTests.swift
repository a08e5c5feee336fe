import LinuxIO
import Testing

/// Containers that bring their own region over the daemon's socket.
@Suite("Region of a container", .serialized)
struct ContainerTests {
  /// Words that run the pattern client as another user, in a user and a mount namespace of its own, without privileges.
  private func container(_ host: LabHost, _ arguments: [String]) throws -> ChildCommand {
    // The program and the socket must be where an unknown user may reach them.
    let program = "\(host.folder)/framepath-guest"
    for words in [
      ["cp", "-f", Lab.program("framepath-guest"), program], ["chmod", "755", host.folder, program],
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

  @Test("presents at the output's rate with an own user and nothing but the daemon's socket, none copied")
  func pattern() throws {
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

  @Test("goes on with the next daemon after a crash of the first")
  func restart() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let client = try ChildProcess(try container(host, ["pattern", "--name", "box", "--frames", "600"]))
    try LabHost.pause(milliseconds: 1000)
    try host.restartDaemon()
    #expect(try ChildProcess.run(ChildCommand("chmod", ["666", host.socket])).exit.isSuccess)
    let figures = try #require(client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 60_000))
    print("lab: container and a killed daemon: \(figures)")
    #expect(figures.contains("frames=600") && figures.contains("refused=0"))
  }

  @Test("that writes garbage over its region costs its neighbour no frame")
  func neighbours() throws {
    let host = try LabHost(outputs: ["headless:1920x1080@60", "headless:1280x720@60"])
    let bad = try ChildProcess(try container(host, ["garbage", "--name", "bad", "--seconds", "20"]))
    try LabHost.pause(milliseconds: 500)
    let good = try ChildProcess.run(
      try container(host, ["pattern", "--name", "good", "--frames", "300", "--still"]), timeoutMilliseconds: 60_000)
    #expect(good.output.contains("frames=300 flipped=300 superseded=0 failed=0 refused=0"))
    #expect(bad.waitForExit(timeoutMilliseconds: 0) == nil)
    bad.kill()
    bad.waitForExit()
  }
}
