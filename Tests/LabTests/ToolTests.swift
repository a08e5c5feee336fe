import Foundation
import LinuxIO
import StatusModel
import Testing

/// The programs as their callers see them: exit statuses, messages and conventions.
@Suite("Programs", .serialized)
struct ToolTests {
  @Test func `a full disk leaves no incomplete picture, and is reported`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let folder = "\(host.folder)/full"
    let script = """
      mkdir "$1" && mount -t tmpfs -o size=4k none "$1" && dd if=/dev/zero of="$1/rest" bs=4k count=1 2>/dev/null
      "$0" snapshot --output headless-0 -o "$1/a.png" --socket "$2"; status=$?; ls "$1"; exit $status
      """
    let result = try ChildProcess.run(
      ChildCommand(
        "unshare", ["--mount", "sh", "-c", script, Lab.program("framepath"), folder, host.socket]))
    #expect(result.exit == .status(1))
    #expect(result.error.contains("No space left"), "\(result.error)")
    #expect(result.output == "rest\n")
  }

  @Test func `a second daemon on the socket is refused, and the first continues`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let second = try ChildProcess.run(
      ChildCommand(Lab.program("framepathd"), ["--output", "headless", "--socket", host.socket]))
    #expect(second.exit == .status(1))
    #expect(second.error.contains("\(host.daemonPID)"), "\(second.error)")
    #expect(try host.status().outputs.map(\.name) == ["headless-0"])
    #expect(host.stop() == .status(0))
  }

  @Test func `without a daemon the tool names the socket that it tried`() throws {
    for words in [["status"], ["status", "--json"], ["snapshot", "--vm", "web", "-o", "/tmp/none.png"]] {
      let result = try ChildProcess.run(
        ChildCommand(Lab.program("framepath"), words + ["--socket", "/tmp/framepath-nowhere.sock"]))
      #expect(result.exit == .status(1))
      #expect(result.error.contains("/tmp/framepath-nowhere.sock"), "\(result.error)")
    }
  }

  @Test func `the backend keeps QEMU's conventions for backend programs`() throws {
    let backend = Lab.program("framepath-vhost-user-gpu")
    // With any other arguments.
    let capabilities = try ChildProcess.run(ChildCommand(backend, ["--fd=9", "--print-capabilities", "--unknown"]))
    #expect(capabilities.exit == .status(0))
    let json = try JSONSerialization.jsonObject(with: Data(capabilities.output.utf8)) as? [String: Any]
    #expect(json?["type"] as? String == "gpu")
    #expect(json?["features"] as? [String] == ["virgl"])

    for bad in [[], ["--unknown", "--fd=3"], ["--socket-path=/tmp/a", "--fd=3"], ["--fd=-1"], ["--fd=200"]] {
      let result = try ChildProcess.run(ChildCommand(backend, bad))
      #expect(!result.exit.isSuccess, "\(bad)")
      #expect(!result.error.isEmpty, "\(bad)")
    }
  }

  @Test func `the backend waits for a daemon that is not there yet, and ends on SIGTERM without leaving its socket`()
    throws
  {
    let folder = try Lab.temporaryFolder()
    defer { _ = try? ChildProcess.run(ChildCommand("rm", ["-rf", folder])) }
    let path = "\(folder)/web.sock"
    let backend = try ChildProcess(
      ChildCommand(
        Lab.program("framepath-vhost-user-gpu"),
        ["--vm", "web", "--socket-path", path, "--daemon", "\(folder)/framepathd.sock"]))
    try LabHost.wait(for: path)
    #expect(backend.stop() == .status(0))
    #expect(backend.text(.error).contains("\(folder)/framepathd.sock"))
    #expect(try !ChildProcess.run(ChildCommand("test", ["-e", path])).exit.isSuccess)
  }

  @Test func `an inherited socket is served until its other end closes`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let ends = try Ends()
    var command = ChildCommand(
      Lab.program("framepath-vhost-user-gpu"), ["--vm", "web", "--fd=7", "--daemon", host.socket])
    command.descriptors = [7: ends.theirs]
    let backend = try ChildProcess(command)
    ends.closeTheirs()
    #expect(backend.waitForLine(containing: "headless-0") != nil)
    ends.closeOurs()
    #expect(backend.waitForExit(timeoutMilliseconds: 5000) == .status(0))
  }
}

/// A socket pair whose ends are closed one by one.
private final class Ends {
  private var first: UnixSocket?
  private var second: UnixSocket?

  init() throws {
    let pair = try UnixSocket.pair(.stream)
    first = UnixSocket(taking: try pair.first.fd.duplicate())
    second = UnixSocket(taking: try pair.second.fd.duplicate())
  }

  var theirs: Int32 { second?.fd.raw ?? -1 }
  func closeTheirs() { second = nil }
  func closeOurs() { first = nil }
}
