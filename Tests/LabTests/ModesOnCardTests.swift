import LinuxIO
import StatusModel
import Testing

/// A guest's modes and its DPMS on a real DRM driver. Runs inside the lab's KMS VM, where `KMSHostTests` start it.
@Suite("Modes on a card", .serialized, .enabled(if: Lab.card != nil))
struct ModesOnCardTests {
  private static let connector = "/sys/class/drm/card0-Virtual-1"

  @Test func `a guest alone on a monitor sets its mode, without a copy; another size is centred`()
    throws
  {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:1024x768"])
    let guest = try CardGuest(host: host, vm: "web", width: 1024, height: 768, framebuffer: (1366, 768))
    for (width, height) in [(1024, 768), (800, 600), (1366, 768), (640, 480), (1024, 768)] {
      guest.changeSize(width: width, height: height)
      let picture = Picture.noise(width: width, height: height, seed: UInt32(width))
      try guest.flip(picture)
      try guest.flip(picture)
      let output = try #require(try host.status().outputs.first)
      #expect([output.width, output.height] == [width, height])
      // A guest does not request a rate: the nearest to the monitor's first one is chosen.
      #expect(abs(output.refreshMillihertz - 60_000) < 1000, "\(output.refreshMillihertz)")
      try host.expect(output: "Virtual-1", shows: picture)
    }
    guest.changeSize(width: 500, height: 300)
    let small = Picture.gradient(width: 500, height: 300)
    try guest.flip(small)
    var wanted = Picture.solid(0, width: 1024, height: 768)
    for y in 0..<300 { for x in 0..<500 { wanted.pixels[(234 + y) * 1024 + 262 + x] = small[x, y] } }
    try host.expect(output: "Virtual-1", shows: wanted)
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.path == .direct)
    #expect(scanout.copiedBytes == 0)
    guest.end()
  }

  @Test func `the monitor sleeps while its only guest has turned its head off, and wakes with its next frame`() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:640x480"])
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    for round in UInt8(1)...5 {
      try guest.flip(grey: round)
      try expectMonitor("On")
      try guest.turnOff()
      try expectMonitor("Off")
      // The guest may request any size meanwhile.
      #expect(try guest.displays()[0].isConnected)
    }
    try guest.flip(grey: 0x77)
    try guest.flip(grey: 0x78)
    try expectMonitor("On")
    try host.expect(output: "Virtual-1", shows: .solid(0x78_7878, width: 640, height: 480))
    guest.end()
    try expectMonitor("Off")
  }

  @Test(arguments: ["tile", "focus"])
  func `a monitor that shows other VMs stays on, and its mode is unchanged`(layout: String) throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:800x600"])
    try host.framepath(["layout", layout])
    let size = layout == "tile" ? (400, 600) : (640, 480)
    let guests = try ["one", "two"].map {
      try CardGuest(host: host, vm: $0, width: size.0, height: size.1)
    }
    try guests[0].flip(grey: 0x11)
    try guests[1].flip(grey: 0x22)
    let output = try #require(try host.status().outputs.first)
    #expect([output.width, output.height] == [800, 600])
    if layout == "focus" { try host.framepath(["focus", "two"]) }
    try guests[0].turnOff()
    var wanted = Picture.solid(0, width: 800, height: 600)
    let (left, top) = layout == "tile" ? (400, 0) : (80, 60)
    for y in 0..<size.1 { for x in 0..<size.0 { wanted.pixels[(top + y) * 800 + left + x] = 0x22_2222 } }
    try host.expect(output: "Virtual-1", shows: wanted)
    try expectMonitor("On")
    try guests[1].turnOff()
    try expectMonitor("Off")
    try guests[1].flip(grey: 0x22)
    try expectMonitor("On")
    try host.expect(output: "Virtual-1", shows: wanted)
    for guest in guests { guest.end() }
  }

  /// Expects the kernel to report this state of the monitor soon.
  private func expectMonitor(_ wanted: String, _ location: SourceLocation = #_sourceLocation) throws {
    let deadline = monotonicNanoseconds() + 10_000_000_000
    var found: String?
    repeat {
      found = LinuxFile.text("\(ModesOnCardTests.connector)/dpms")
      if found == wanted { return }
      try LabHost.pause(milliseconds: 20)
    } while monotonicNanoseconds() < deadline
    Issue.record("the monitor is \(found ?? "gone"), not \(wanted)", sourceLocation: location)
  }
}
