import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import StatusModel
import Testing

/// The daemon on a real DRM driver. Runs inside the lab's KMS VM, where `KMSHostTests` start it; FRAMEPATH_TEST_CARD
/// names the card there.
@Suite("Daemon on a card", .serialized, .enabled(if: Lab.card != nil))
struct DaemonOnCardTests {
  @Test func `frames of a client are on screen, flip by flip, and the daemon restores the console`() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let status = try host.status()
    let output = try #require(status.outputs.first)
    #expect(output.kind == .kms)
    let painter = try Painter(host: host, name: "painter")

    for frame in UInt32(0)..<30 {
      let buffer = try painter.nextBuffer(width: output.width, height: output.height)
      painter.fill(buffer, with: Picture.frameColour(frame))
      try painter.show(buffer)
    }
    let scanout = try host.status().scanout(vm: "painter")
    #expect(scanout.output == output.name)
    #expect(scanout.framesPresented == 30)
    #expect(scanout.framesFlipped == 30)
    try host.expect(
      output: output.name, shows: .solid(Picture.frameColour(29), width: output.width, height: output.height))

    let picture = Picture.noise(width: output.width, height: output.height, seed: 11)
    let buffer = try painter.nextBuffer(width: output.width, height: output.height)
    painter.draw(picture, in: buffer)
    try painter.show(buffer)
    try host.expect(output: output.name, shows: picture)
    try host.expect(vm: "painter", shows: picture)
    try Lab.waitForPhotograph(width: output.width, height: output.height)
    #expect(host.stop() == .status(0))
  }

  @Test func `a picture that is smaller than every mode is centred on a black screen`() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let painter = try Painter(host: host, name: "painter")
    let small = Picture.gradient(width: 200, height: 100)
    let buffer = try painter.nextBuffer(width: 200, height: 100)
    painter.draw(small, in: buffer)
    try painter.show(buffer)

    var wanted = Picture.solid(0, width: output.width, height: output.height)
    wanted.put(small, x: (output.width - 200) / 2, y: (output.height - 100) / 2)
    try host.expect(output: output.name, shows: wanted)
  }

  @Test
  func `VMs in tiles are on a card's screen exactly, focus changes without a mode set, and a single VM is shown again`()
    throws
  {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    try host.framepath(["layout", "tile", "2x2"])
    let painters = try (0..<3).map { try Painter(host: host, name: "vm\($0)") }
    try painters.showNoise(on: output, columns: 2, rows: 2, seed: 3, expectedBy: host)

    try host.framepath(["layout", "focus"])
    for (index, painter) in painters.enumerated() {
      let buffer = try painter.freshBuffer(width: output.width, height: output.height)
      painter.fill(buffer, with: Picture.frameColour(UInt32(index)))
      try painter.show(buffer)
    }
    for index in [1, 2, 0] {
      try host.framepath(["focus", "vm\(index)"])
      let colour = Picture.frameColour(UInt32(index))
      try host.expect(output: output.name, shows: .solid(colour, width: output.width, height: output.height))
    }
    #expect(host.stop() == .status(0))
  }

  /// vkms has an overlay plane for each of its heads.
  @Test(.enabled(if: environmentVariable("FRAMEPATH_LAB_CARD") == "vkms"))
  func `a tile on an overlay plane is no longer copied, other tiles are, and all are on screen exactly`()
    throws
  {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    try host.framepath(["layout", "tile", "2x2"])
    let painters = try (0..<3).map { try Painter(host: host, name: "vm\($0)") }
    let (width, height) = (output.width / 2, output.height / 2)
    // With the greatest weight, its frames always win the plane.
    try host.framepath(["vm", "set", "vm1", "--weight", "10000"])
    func planes() throws -> [Bool] {
      try (0..<3).map { try host.status().scanout(vm: "vm\($0)").pathReason?.hasPrefix("overlay plane") == true }
    }
    func show(_ frames: ClosedRange<UInt32>) throws {
      for frame in frames {
        for painter in painters {
          let buffer = try painter.nextBuffer(width: width, height: height)
          painter.fill(buffer, with: Picture.frameColour(frame))
          try painter.show(buffer)
        }
      }
    }
    var frame: UInt32 = 1
    while try planes() != [false, true, false] && frame < 60 {
      try show(frame...frame)
      frame += 1
    }
    #expect(try planes() == [false, true, false])
    let before = try (0..<3).map { try host.status().scanout(vm: "vm\($0)") }
    try show(60...79)
    let after = try (0..<3).map { try host.status().scanout(vm: "vm\($0)") }
    #expect(after[1].copiedBytes == before[1].copiedBytes)
    #expect(after[1].framesFlipped == before[1].framesFlipped + 20)
    let noiseBytes = UInt64(20 * width * height * 4)
    #expect(after[0].copiedBytes >= before[0].copiedBytes + noiseBytes)

    try painters.showNoise(on: output, columns: 2, rows: 2, seed: 31, expectedBy: host)
    #expect(try planes() == [false, true, false])
    // The plane is free for the output's other uses, and nothing of the tiles is left.
    try host.framepath(["layout", "focus"])
    try host.expect(output: output.name, shows: .solid(0, width: output.width, height: output.height))
    #expect(host.stop() == .status(0))
  }

  @Test func `a second daemon on the card is refused with the first one's name`() throws {
    let card = try #require(Lab.card)
    let host = try LabHost(outputs: ["kms:\(card)"])
    let second = try ChildProcess.run(
      ChildCommand(
        Lab.program("framepathd"), ["--output", "kms:\(card)", "--socket", "\(host.folder)/second.sock"]),
      timeoutMilliseconds: 60_000)
    #expect(second.exit == .status(1))
    #expect(second.error.contains("framepathd"))
    #expect(second.error.contains("\(host.daemonPID)"))
  }

  @Test func `an unknown mode or connector is refused with those that exist`() throws {
    let card = try #require(Lab.card)
    for (choice, hint) in [("kms:\(card):Nowhere-9", "Virtual-1"), ("kms:\(card):Virtual-1:123x45", "1024x768")] {
      let result = try ChildProcess.run(
        ChildCommand(Lab.program("framepathd"), ["--output", choice, "--socket", "/tmp/refused.sock"]),
        timeoutMilliseconds: 60_000)
      #expect(result.exit == .status(1))
      #expect(result.error.contains(hint), "\(result.error)")
    }
  }
}
