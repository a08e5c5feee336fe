import Foundation
import LinuxIO
import StatusModel
import Testing

/// Blank, off and on of a real DRM driver's CRTC. Runs inside the lab's KMS VM, started by `KMSHostTests`. The kernel
/// reports whether the CRTC is on, and the writeback connector its picture.
@Suite("Power on a card", .serialized, .enabled(if: Lab.card != nil))
struct PowerOnCardTests {
  private func host() throws -> LabHost { try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:640x480"]) }

  /// `active` of the first CRTC, as the kernel prints its atomic state.
  private func isActive() -> Bool? {
    guard let state = LinuxFile.text("/sys/kernel/debug/dri/0/state"), let crtc = state.range(of: "crtc-0") else {
      return nil
    }
    let rest = state[crtc.upperBound...]
    guard let field = rest.range(of: "active=") else { return nil }
    return rest[field.upperBound...].first == "1"
  }

  private func expect(active wanted: Bool, _ location: SourceLocation = #_sourceLocation) throws {
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while isActive() != wanted, monotonicNanoseconds() < deadline { try LabHost.pause(milliseconds: 20) }
    #expect(isActive() == wanted, sourceLocation: location)
  }

  @Test func `off by command turns the CRTC off, the guest continues, and on shows its newest frame exactly`() throws {
    let host = try host()
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    try guest.flip(.noise(width: 640, height: 480, seed: 1))
    try expect(active: true)
    for seed in 2...4 as ClosedRange<UInt32> {
      try host.framepath(["power", "--output", "Virtual-1", "off"])
      try expect(active: false)
      let newest = Picture.noise(width: 640, height: 480, seed: seed)
      try guest.flip(.solid(0xff_0000, width: 640, height: 480))
      try guest.flip(newest)
      #expect(try guest.displays()[0].isConnected, "it is told of nothing")
      #expect(isActive() == false, "no frame turns on what was turned off by command")
      let commits = try #require(try host.status().outputs.first).commits
      try host.framepath(["power", "--output", "Virtual-1", "on"])
      try expect(active: true)
      try host.expect(output: "Virtual-1", shows: newest)
      #expect(try #require(try host.status().outputs.first).commits == commits + 1)
    }
    #expect(try host.framepath(["status"]).contains("Virtual-1"))
    guest.end()
  }

  @Test func `blank is black with the CRTC on, and idle outputs are blanked, then off, until the next frame`() throws {
    let host = try host()
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    let picture = Picture.noise(width: 640, height: 480, seed: 7)
    let black = Picture.solid(0, width: 640, height: 480)
    try guest.flip(picture)
    try host.expect(output: "Virtual-1", shows: picture)
    try host.framepath(["power", "blank"])
    try host.expect(output: "Virtual-1", shows: black)
    #expect(isActive() == true)
    try host.framepath(["power", "on"])
    try host.expect(output: "Virtual-1", shows: picture)

    try host.framepath(["power", "--idle-blank", "2"])
    var power = DaemonStatus.Output.Power.on
    let deadline = monotonicNanoseconds() + 60_000_000_000
    while power == .on, monotonicNanoseconds() < deadline {
      try LabHost.pause(milliseconds: 100)
      power = try #require(try host.status().outputs.first).power
    }
    #expect(power == .blank)
    #expect(isActive() == true)
    try host.expect(output: "Virtual-1", shows: black)
    try host.framepath(["power", "--idle-off", "4"])
    try expect(active: false)
    #expect(try host.status().outputs.first?.power == .off)
    let next = Picture.noise(width: 640, height: 480, seed: 8)
    try guest.flip(next)
    try expect(active: true)
    try host.expect(output: "Virtual-1", shows: next)
    guest.end()
  }

  @Test func `tiles are shown again together after off, exactly`() throws {
    let host = try host()
    try host.framepath(["layout", "tile", "2x1"])
    let guests = try ["one", "two"].map { try CardGuest(host: host, vm: $0, width: 320, height: 480) }
    var wanted = Picture.solid(0, width: 640, height: 480)
    for (index, guest) in guests.enumerated() {
      let picture = Picture.noise(width: 320, height: 480, seed: UInt32(index + 20))
      for y in 0..<480 { for x in 0..<320 { wanted.pixels[y * 640 + index * 320 + x] = picture[x, y] } }
      try guest.flip(picture)
    }
    try host.expect(output: "Virtual-1", shows: wanted)
    for power in ["off", "blank"] {
      try host.framepath(["power", power])
      try expect(active: power == "blank")
      try host.framepath(["power", "on"])
      try expect(active: true)
      try host.expect(output: "Virtual-1", shows: wanted)
    }
    for guest in guests { guest.end() }
  }

  @Test func `a driver without variable rates shows its frames at the fixed rate`() throws {
    let host = try host()
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    try host.framepath(["power", "--vrr", "single"])
    for grey in UInt8(1)...20 { try guest.flip(grey: grey) }
    let output = try #require(try host.status().outputs.first)
    #expect(output.isVariable == false)
    #expect(try host.status().scanout(vm: "web").framesFlipped == 20)
    try host.expect(output: "Virtual-1", shows: .solid(20 * 0x01_0101, width: 640, height: 480))
    guest.end()
  }
}
