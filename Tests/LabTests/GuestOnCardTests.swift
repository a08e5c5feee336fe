import LinuxIO
import StatusModel
import Testing

/// All of it at once: an unmodified guest in QEMU, on a daemon that drives a real DRM driver. Runs inside the lab's KMS
/// VM, a machine in a machine.
@Suite("Guest on a card", .serialized, .enabled(if: Lab.card != nil))
struct GuestOnCardTests {
  @Test func `a stock guest's pictures are on the screen byte for byte`() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:640x480"])
    let output = try #require(try host.status().outputs.first)
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", saved: try #require(environmentVariable("FRAMEPATH_TEST_GUEST")))
    try guest.draw("pattern noise --size \(output.width)x\(output.height) --seed 3", seconds: 300)
    try host.expect(output: output.name, shows: .noise(width: output.width, height: output.height, seed: 3))
    try guest.draw("flip --count 20 --interval-ms 50 --size \(output.width)x\(output.height)", seconds: 300)
    try host.expect(
      output: output.name, shows: .solid(Picture.frameColour(19), width: output.width, height: output.height))
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.framesFlipped >= 20)
    // A guest whose memory is scattered over more ranges than udmabuf takes is copied.
    print("lab: path \(scanout.path) \(scanout.pathReason ?? ""), \(scanout.copiedBytes) bytes copied")
    if scanout.path == .direct { #expect(scanout.copiedBytes == 0) }
    try unplugAndPlug(guest)
    try guest.draw("pattern noise --size \(output.width)x\(output.height) --seed 4", seconds: 300)
    try host.expect(output: output.name, shows: .noise(width: output.width, height: output.height, seed: 4))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// The card's monitor is unplugged and plugged in again, and the guest's modetest shows it.
  private func unplugAndPlug(_ guest: LabGuest) throws {
    let status = "/sys/kernel/config/vkms/lab/connectors/connector0/status"
    guard LinuxFile.status(status) != nil else { return }
    // The kernel probes its connectors again for the DRM master, or for the console without one: not for modetest while
    // the drawing server is master.
    try guest.run("kill $(pidof fpdraw); while pidof fpdraw; do sleep 0.2; done", seconds: 120)
    try expectConnector("connected", guest)
    _ = try ChildProcess.run(ChildCommand("sh", ["-c", "echo 2 >\(status)"]))
    try expectConnector("disconnected", guest)
    _ = try ChildProcess.run(ChildCommand("sh", ["-c", "echo 1 >\(status)"]))
    try expectConnector("connected", guest)
    try guest.startDrawing()
  }

  /// Expects the guest's modetest to report this state of its connector soon.
  private func expectConnector(_ wanted: String, _ guest: LabGuest) throws {
    let read = "modetest -M virtio_gpu -c | awk '$4 ~ /^Virtual-/ {print $3; exit}'"
    let deadline = monotonicNanoseconds() + 120_000_000_000
    var found = ""
    repeat {
      found = try guest.run(read, seconds: 120).split(whereSeparator: \.isWhitespace).joined()
      if found == wanted {
        print("lab: the guest's modetest says \(wanted)")
        return
      }
      try LabHost.pause(milliseconds: 500)
    } while monotonicNanoseconds() < deadline
    Issue.record("the guest's modetest says \(found), not \(wanted)")
  }
}
