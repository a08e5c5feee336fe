import LinuxIO
import Testing

/// Unmodified Linux guests in real QEMU, their frames on a headless output.
@Suite("Guest on a headless output", .serialized)
struct GuestOnHeadlessTests {
  @Test("known pictures arrive byte for byte", arguments: LabGuest.Shape.allCases)
  func pictures(shape: LabGuest.Shape) throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: shape)

    try guest.draw("pattern gradient --size 1024x768")
    expectEqual(try host.snapshot(vm: "web"), Picture.gradient(width: 1024, height: 768))

    try guest.draw("pattern noise --size 1024x768 --seed 7")
    var picture = Picture.noise(width: 1024, height: 768, seed: 7)
    expectEqual(try host.snapshot(vm: "web"), picture)

    try guest.draw("damage --count 40 --seed 3")
    picture.paintDamage(count: 40, seed: 3)
    expectEqual(try host.snapshot(vm: "web"), picture)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  func expectEqual(_ found: Picture, _ wanted: Picture, _ location: SourceLocation = #_sourceLocation) {
    if let difference = found.difference(from: wanted) {
      Issue.record(Comment(rawValue: difference), sourceLocation: location)
    }
  }
}
