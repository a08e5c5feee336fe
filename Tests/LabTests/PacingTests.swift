import LinuxIO
import StatusModel
import Testing

/// A guest that draws as fast as its fences let it, on a real daemon and backend.
@Suite("Pacing", .serialized)
struct PacingTests {
  /// Judged by the output's own clock, the times in its flip events. All three processes go before the machine's other
  /// work: one that waits a whole period for a processor loses a vblank.
  @Test func `1000 flips at 60 Hz take 16.6 to 16.8 s of the output's time`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    let processes = [host.daemonPID, guest.backend.pid, currentProcessID()]
    Lab.prefer(processes)
    defer { Lab.prefer(processes, false) }
    try guest.flip(grey: 0)
    // A machine that is busy for a fifth of a second loses the twelve vblanks that the bound leaves room for.
    var seconds = 0.0
    for _ in 1...3 where !(16.6...16.8).contains(seconds) {
      let flips = try flipTimes(of: 1000, guest, host)
      #expect(flips.count == 1000)
      let intervals = zip(flips, flips.dropFirst()).map { Double($1 - $0) / (1e9 / 60) }.sorted()
      #expect(intervals.allSatisfy { abs($0 - $0.rounded()) < 0.001 }, "flips are at vblanks")
      #expect(intervals[0] > 0.999, "no two at one vblank")
      seconds = Double(flips[999] - flips[0]) / 1e9
      print("lab: 1000 flips in \(seconds) s, interval p99 \(intervals[989]) periods, max \(intervals[998])")
    }
    #expect((16.6...16.8).contains(seconds))
    #expect(try host.status().scanout(vm: "web").framesSuperseded == 0)
    guest.end()
  }

  @Test func `a guest that makes new buffers for every frame is shown without copies, and no buffer is left behind`()
    throws
  {
    let host = try LabHost(outputs: ["headless:640x480@60", "headless:640x480@60"])
    // With a neighbour there are limits.
    let neighbour = try CardGuest(host: host, vm: "neighbour", width: 640, height: 480)
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480, pieceBytes: 1 << 14)
    for frame in 0..<240 {
      try guest.flip(grey: UInt8(frame))
      try guest.renewBlobs()
    }
    try neighbour.flip(grey: 1)
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.framesFlipped == 240)
    #expect(scanout.path == .direct)
    #expect(scanout.copiedBytes == 0)
    #expect(scanout.buffers <= 2)
    try host.expect(vm: "web", shows: .solid(239 * 0x01_0101, width: 640, height: 480))
    guest.end()
    neighbour.end()
  }

  /// When the next flips were on screen, in nanoseconds.
  private func flipTimes(of count: Int, _ guest: CardGuest, _ host: LabHost) throws -> [UInt64] {
    var times: [UInt64: UInt64] = [:]
    let first = try records(host).map(\.frame).max() ?? 0
    for flip in 1...count {
      try guest.flip(grey: UInt8(truncatingIfNeeded: flip))
      // The daemon remembers 512 frames.
      if flip % 400 == 0 || flip == count {
        for record in try records(host) where record.frame > first && record.outcome == .flipped {
          times[record.frame] = record.flippedNanoseconds
        }
      }
    }
    return times.values.sorted()
  }

  private func records(_ host: LabHost) throws -> [DaemonTrace.Frame] { try host.trace().scanouts.flatMap(\.frames) }
}
