import LinuxIO
import Testing

/// All of it at once: an unmodified guest in QEMU, on a daemon that drives a real DRM driver. Runs inside the lab's KMS
/// VM, a machine in a machine.
@Suite("Guest on a card", .serialized, .enabled(if: Lab.card != nil))
struct GuestOnCardTests {
  @Test("a stock guest's pictures are on the screen byte for byte")
  func guestOnScreen() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: .complete)
    try guest.draw("pattern noise --size \(output.width)x\(output.height) --seed 3", seconds: 300)
    try host.expect(output: output.name, shows: .noise(width: output.width, height: output.height, seed: 3))
    try guest.draw("flip --count 20 --interval-ms 50 --size \(output.width)x\(output.height)", seconds: 300)
    try host.expect(
      output: output.name, shows: .solid(Picture.frameColour(19), width: output.width, height: output.height))
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.framesFlipped >= 20)
    // A guest whose memory is scattered over more ranges than udmabuf takes is copied.
    print("lab: path \(scanout.path ?? "") \(scanout.pathReason ?? ""), \(scanout.copiedBytes) bytes copied")
    if scanout.path == "direct" { #expect(scanout.copiedBytes == 0) }
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }
}
