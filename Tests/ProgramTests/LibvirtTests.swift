import LinuxIO
import PresentClient
import StatusModel
import TestSupport
import Testing

@testable import framepath_vhost_user_gpu

/// The backend as libvirt starts it: an inherited socket, 3D options whatever the XML says, and no name.
@Suite(.timeLimit(.minutes(1)))
struct LibvirtTests {
  @Test(arguments: [
    ("/run/libvirt/qemu/2-web-video0-vhost-user-gpu.pid", "web"),
    ("12-a-video0-b-video1-vhost-user-gpu.pid", "a-video0-b"),
    ("/run/libvirt/qemu/2-web.pid", nil), ("/dev/null", nil), ("socket:[1234]", nil),
    ("/x/2--video0-vhost-user-gpu.pid", nil),
  ])
  func `a domain's name is in the path of its pid file`(path: String, name: String?) {
    #expect(LibvirtDomain.name(pidFile: path) == name)
  }

  @Test(arguments: [("web", "web"), ("web ", nil)])
  func `the daemon knows a domain by libvirt's name, and options for 3D are accepted`(domain: String, name: String?)
    throws
  {
    let daemon = try TestDaemon()
    let pidFile = "\(daemon.folder.path)/2-\(domain)-video0-vhost-user-gpu.pid"
    try LinuxFile.replace(pidFile, with: [])
    let held = try OwnedFD.open(pidFile, flags: 0)
    let pair = try UnixSocket.pair(.stream)
    var command = ChildCommand(
      Programs.path("framepath-vhost-user-gpu"),
      ["--fd=9", "--virgl", "--render-node=/dev/dri/renderD128", "--daemon", daemon.socket])
    command.descriptors = [5: held.raw, 9: pair.second.fd.raw]
    let backend = try TestProgram(command)
    // A name that no VM can have is not used.
    try backend.wait(for: "the VM") {
      try PresentTool.status(path: daemon.controlSocket).vms.map(\.name) == [name ?? "vm-\(backend.pid)"]
    }
    // It ends with its frontend, as ever.
    _ = consume pair
    #expect(try backend.exit() == .status(0))
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `a user who may not connect is named with the remedy`() throws {
    let daemon = try TestDaemon()
    let words =
      "exec \(Programs.path("framepath-vhost-user-gpu")) --vm web --socket-path /tmp/framepath-unused-\(currentProcessID()).sock --daemon \(daemon.socket)"
    let open = try ChildProcess.run(ChildCommand("chmod", ["711", daemon.folder.path]))
    #expect(open.exit.isSuccess)
    let backend = try TestProgram(ChildCommand("setpriv", ["--reuid=65534", "--clear-groups", "sh", "-c", words]))
    try backend.line(containing: "user 65534 may not connect to framepathd at \(daemon.socket), retrying")
    try backend.end()
  }
}
