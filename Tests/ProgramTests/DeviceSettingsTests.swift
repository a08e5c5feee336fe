import LinuxIO
import PresentClient
import StatusModel
import TestSupport
import Testing
import VhostUserFrontend

/// Settings of the daemon that a backend applies, with the real programs.
@Suite(.timeLimit(.minutes(1)))
struct DeviceSettingsTests {
  /// Bytes of the device's memory and seconds, as the status has them.
  private func inForce(_ guest: PlayedGuest) throws -> [UInt64?] {
    let vm = try #require(try PresentTool.status(path: guest.daemon.controlSocket).vms.first { $0.name == "web" })
    return [vm.deviceMemoryLimitBytes, vm.blankStoppedSeconds.map(UInt64.init)]
  }

  private func set(_ guest: PlayedGuest, _ words: [String]) throws {
    let result = try Programs.run("framepath", ["vm", "set", "web"] + words + ["--socket", guest.daemon.socket])
    try #require(result.exit.isSuccess, "\(result.error)")
  }

  /// How many of these images get their long lists of pages, each of more than 100 KB.
  private func accepted(_ guest: PlayedGuest, _ resources: ClosedRange<UInt32>) throws -> Int {
    let list = [GuestPiece](repeating: (address: 0, byteCount: 4096), count: 8192)
    var count = 0
    for resource in resources {
      do {
        try guest.player.ask(GPURequest.create2D(resource, width: 64, height: 64))
        try guest.player.ask(GPURequest.attachBacking(resource, list))
        count += 1
      } catch is GuestPlayer.Refused {}
    }
    return count
  }

  @Test func `settings hold in a running backend, the status has what is in force, and the limit is told anew`() throws
  {
    let guest = try PlayedGuest()
    try guest.backend.wait(for: "the defaults") { try inForce(guest) == [256 << 20, nil] }
    try set(guest, ["--device-memory", "1M", "--blank-stopped", "1"])
    try guest.backend.wait(for: "the settings") { try inForce(guest) == [1 << 20, 1] }
    #expect((1...10).contains(try accepted(guest, 1...20)))
    try guest.backend.line(containing: "of 1048576 bytes in use")
    try set(guest, ["--device-memory", "2M"])
    try guest.backend.wait(for: "the higher limit") { try inForce(guest) == [2 << 20, 1] }
    #expect((1...19).contains(try accepted(guest, 101...120)))
    try guest.backend.line(containing: "of 2097152 bytes in use")
    try set(guest, ["--device-memory", "default"])
    try guest.backend.wait(for: "the default") { try inForce(guest) == [256 << 20, 1] }
    #expect(try accepted(guest, 201...220) == 20)

    let picture = try guest.player.makeBlob(301, width: 320, height: 200)
    guest.player.fill(picture, 0x00_FF00)
    try guest.player.flip(picture)
    try guest.player.frontend.stop()
    #expect(try guest.scanout().pathReason?.hasPrefix("stopped") == true)
    try guest.backend.wait(for: "the black screen") { try guest.scanout().width == nil }
  }

  @Test func `a time that is set after the stop counts from the stop, and never keeps the picture`() throws {
    let guest = try PlayedGuest()
    let picture = try guest.player.makeBlob(1, width: 320, height: 200)
    guest.player.fill(picture, 0x00_FF00)
    try guest.player.flip(picture)
    try guest.player.frontend.stop()
    try set(guest, ["--blank-stopped", "3600"])
    try guest.backend.wait(for: "the setting") { try inForce(guest) == [256 << 20, 3600] }
    #expect(try guest.scanout().width == 320)
    try set(guest, ["--blank-stopped", "1"])
    try guest.backend.wait(for: "the black screen") { try guest.scanout().width == nil }
    #expect(guest.backend.isRunning)
  }

  @Test func `the backend's command line takes precedence over settings`() throws {
    let guest = try PlayedGuest(["--max-memory", "3M", "--blank-stopped", "never"])
    try set(guest, ["--device-memory", "1M", "--blank-stopped", "1"])
    try guest.backend.wait(for: "the command line's values") { try inForce(guest) == [3 << 20, nil] }
    #expect((1...29).contains(try accepted(guest, 1...30)))
    try guest.backend.line(containing: "of 3145728 bytes in use")
    #expect(try inForce(guest) == [3 << 20, nil])
  }

  @Test(arguments: [["--blank-stopped", "86401"], ["--blank-stopped", "soon"], ["--max-memory", "much"]])
  func `other values are refused with the valid ones`(words: [String]) throws {
    let result = try Programs.run(
      "framepath-vhost-user-gpu", ["--vm", "web", "--socket-path", "/nonexistent/s"] + words)
    #expect(result.exit == .status(64))
    #expect(result.error.contains("\(words[0]) takes"))
  }
}
