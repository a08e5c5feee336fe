import Foundation
import LinuxIO
import Testing

/// `framepath bench guest` with one real guest for each kind of display.
@Suite("Bench with guests", .serialized)
struct BenchGuestTests {
  @Test("what a real guest flips reaches our screen, and QEMU's own displays are measured beside it")
  func setups() throws {
    let command = ChildCommand(
      Lab.program("framepath"),
      [
        "bench", "guest", "--sizes", "640x480", "--frames", "20", "--setups", "qemu-vnc,framepath-complete", "--json",
        "--lab", "\(Lab.root)/Tests/Lab",
      ])
    let result = try ChildProcess.run(command, timeoutMilliseconds: 240_000)
    #expect(result.exit.isSuccess, "\(result.error)")
    let root = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    let size = try #require((root["sizes"] as? [[String: Any]])?.first)
    let setups = try #require(size["setups"] as? [[String: Any]])
    #expect(setups.map { $0["setup"] as? String } == ["qemu-vnc", "framepath-complete"])
    for setup in setups {
      #expect(setup["missing"] == nil, "\(setup)")
      #expect(setup["framesPerSecond"] as? Double ?? 0 > 0)
      // QEMU looks for changes at most every 30 ms, so a viewer may see none of a few frames.
      #expect(setup["displayed"] is Int)
      #expect(setup["qemuMicroseconds"] as? Double ?? 0 > 0)
    }
    // A guest that waits for the screen loses no frame.
    #expect(setups.last?["displayed"] as? Int == 20)
    #expect(setups.last?["path"] as? String == "direct")
    #expect((setups.last?["helpers"] as? [[String: Any]])?.count == 2)
  }
}
