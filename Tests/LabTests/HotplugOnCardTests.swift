import LinuxIO
import PresentProtocol
import StatusModel
import Testing

/// Hotplug through vkms's configfs. Runs inside the lab's KMS VM with two heads.
@Suite("Hotplug on a card", .serialized, .enabled(if: Lab.card != nil))
struct HotplugOnCardTests {
  @Test(arguments: [true, false])
  func `a connector that had no monitor at the start becomes an output when one is plugged in`(byName: Bool) throws {
    let card = try #require(Lab.card)
    try plug(1, false)
    defer { try? plug(1, true) }
    let host = try LabHost(outputs: byName ? ["kms:\(card):Virtual-2:640x480"] : ["auto"])
    #expect(try host.status().outputs.map(\.name) == (byName ? [] : ["Virtual-1"]))
    try host.framepath(["power", "--idle-off", "900"])
    // A parked scanout gets the new monitor.
    let guest = try CardGuest(host: host, vm: "second", width: 640, height: 480)

    try plug(1, true)

    try LabHost.wait("Virtual-2 to be an output") { try host.status().outputs.contains { $0.name == "Virtual-2" } }
    #expect(try host.status().outputs.contains { $0.name == "Virtual-2" && (!byName || $0.width == 640) })
    #expect(try host.status().outputs.allSatisfy { $0.idleOffSeconds == 900 }, "what all were told holds for it too")
    try guest.flip(grey: 0x55)
    if byName {
      #expect(try host.status().scanout(vm: "second").output == "Virtual-2")
      try host.expect(output: "Virtual-2", shows: .solid(0x55_5555, width: 640, height: 480))
    }
    guest.end()
  }

  @Test func `a VM on auto's stand-in moves to the monitor that is plugged in`() throws {
    try plug(0, false)
    try plug(1, false)
    defer {
      try? plug(0, true)
      try? plug(1, true)
    }
    let host = try LabHost(outputs: ["auto"])
    #expect(try host.status().outputs.map(\.name) == ["headless-0"])
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    try guest.flip(grey: 0x21)
    #expect(try host.status().scanout(vm: "web").output == "headless-0")

    try plug(1, true)

    try guest.waitForConfigChange()
    #expect(try host.status().scanout(vm: "web").output == "Virtual-2")
    // vkms's preferred mode, not the one set by the guest's picture.
    #expect(try guest.displays()[0] == CardGuest.Display(isConnected: true, width: 1024, height: 768))
    // The picture was moved too: the daemon shows it before the guest draws again.
    try LabHost.wait("the picture") { try host.status().scanout(vm: "web").framesFlipped >= 2 }
    for grey in UInt8(0x30)..<0x34 { try guest.flip(grey: grey) }
    try host.expect(output: "Virtual-2", shows: .solid(0x33_3333, width: 640, height: 480))
    #expect(try host.status().scanout(vm: "web").copiedBytes == 0)
    guest.end()
  }

  @Test func `the guest is notified that its monitor is gone, and that it is back`() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:640x480"])
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    try guest.flip(grey: 0x10)
    #expect(try guest.displays()[0] == CardGuest.Display(isConnected: true, width: 640, height: 480))

    try plug(0, false)
    defer { try? plug(0, true) }
    try guest.waitForConfigChange()
    #expect(try !guest.displays()[0].isConnected)
    // It may continue drawing while not visible, and no fence is lost.
    try guest.flip(grey: 0x20)

    try plug(0, true)
    try guest.waitForConfigChange()
    #expect(try guest.displays()[0] == CardGuest.Display(isConnected: true, width: 640, height: 480))
    for grey in UInt8(0x30)..<0x38 { try guest.flip(grey: grey) }
    try host.expect(output: "Virtual-1", shows: .solid(0x37_3737, width: 640, height: 480))
    #expect(try host.status().scanout(vm: "web").copiedBytes == 0)
    guest.end()
  }

  private func plug(_ connector: Int, _ isPlugged: Bool) throws { try VKMS.plug(connector, isPlugged) }
}
