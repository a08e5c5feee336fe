import LinuxIO
import StatusModel
import Testing

/// One screen and two VMs. Runs with a headless output, and inside the lab's KMS VM on a card.
@Suite("Reassigning a screen", .serialized)
struct ReassignTests {
  enum Way: CaseIterable {
    /// Both are on the output, one of them is shown.
    case focus
    /// One is on the output, the other is parked.
    case outputs
  }

  @Test(arguments: Way.allCases)
  func `an output moves to another VM and back while both run and draw, and no frame is lost`(by way: Way) throws {
    let host = try LabHost(outputs: [Lab.card.map { "kms:\($0):Virtual-1:640x480" } ?? "headless:640x480@60"])
    let output = try #require(try host.status().outputs.first).name
    if way == .focus { try host.framepath(["layout", "focus"]) }
    let names = ["web", "db"]
    let guests = try names.map { try CardGuest(host: host, vm: $0, width: 640, height: 480) }
    let processes = try host.status().vms.map(\.pid)
    var greys: [UInt8] = [0, 0]
    func draw() throws {
      for index in 0..<2 {
        greys[index] = (greys[index] + 1) % 100
        try guests[index].flip(grey: greys[index] + UInt8(100 * index))
      }
    }
    func picture(_ index: Int) -> Picture {
      .solid(0x01_0101 * UInt32(greys[index] + UInt8(100 * index)), width: 640, height: 480)
    }
    try draw()
    for shown in Lab.card == nil ? [1, 0, 1] : [1, 0] {
      switch way {
      case .focus: try host.framepath(["focus", names[shown]])
      case .outputs: try host.framepath(["vm", "set", names[shown], "--outputs", output])
      }
      // Its last picture, before it draws again.
      try host.expect(output: output, shows: picture(shown))
      let before = try host.status().scanout(vm: names[shown])
      for _ in 0..<3 { try draw() }
      let after = try host.status().scanout(vm: names[shown])
      #expect(after.framesFlipped == before.framesFlipped + 3)
      #expect(after.framesSuperseded == before.framesSuperseded)
      try host.expect(output: output, shows: picture(shown))
      try host.expect(vm: names[1 - shown], shows: picture(1 - shown))
    }
    #expect(try host.status().vms.map(\.pid) == processes)
    for (index, name) in names.enumerated() {
      let scanout = try host.status().scanout(vm: name)
      #expect(scanout.framesPresented == scanout.framesFlipped + scanout.framesSuperseded)
      // In layout focus a guest that is not visible continues drawing after 45 ms; the newest frame is kept.
      if way == .outputs { #expect(scanout.framesSuperseded == 0) }
      #expect(scanout.copiedBytes == 0)
      guests[index].end()
    }
    #expect(host.stop() == .status(0))
  }
}
