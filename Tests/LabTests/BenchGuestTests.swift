import Foundation
import LinuxIO
import Testing

/// `framepath bench guest` with one real guest for each kind of display.
@Suite("Bench with guests", .serialized)
struct BenchGuestTests {
  @Test func `the benchmark counts a real guest's flips on our output, and measures QEMU's own displays`() throws {
    let command = ChildCommand(
      Lab.program("framepath"),
      [
        "bench", "guest", "--sizes", "640x480", "--frames", "20", "--runs", "2", "--json",
        "--setups", "qemu-vnc,qemu-dbus,framepath-complete,framepath-ivshmem",
        "--lab", "\(Lab.root)/Tests/Lab",
      ])
    let result = try ChildProcess.run(command, timeoutMilliseconds: 240_000)
    #expect(result.exit.isSuccess, "\(result.error)")
    let root = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    let size = try #require((root["sizes"] as? [[String: Any]])?.first)
    let setups = try #require(size["setups"] as? [[String: Any]])
    #expect(
      setups.map { $0["setup"] as? String } == ["qemu-vnc", "qemu-dbus", "framepath-complete", "framepath-ivshmem"])
    for setup in setups {
      #expect(setup["missing"] == nil, "\(setup)")
      let runs = try #require(setup["runs"] as? [[String: Any]])
      #expect(runs.count == 2)
      for run in runs {
        #expect(run["framesPerSecond"] as? Double ?? 0 > 0)
        // QEMU checks for changes at most every 30 ms, so a viewer may miss a few frames.
        #expect(run["displayed"] is Int)
        #expect(run["qemuMicroseconds"] as? Double ?? 0 > 0)
      }
    }
    // QEMU gives the display's client its own memory.
    #expect(setups[1]["path"] as? String == "shared memory")
    // A guest that waits for the screen loses no frame.
    for setup in setups.suffix(2) {
      let runs = try #require(setup["runs"] as? [[String: Any]])
      #expect(runs.map { $0["displayed"] as? Int } == [20, 20])
      #expect(setup["path"] as? String == "direct")
      #expect(runs.allSatisfy { ($0["helpers"] as? [[String: Any]])?.count == 2 })
    }
  }
}
