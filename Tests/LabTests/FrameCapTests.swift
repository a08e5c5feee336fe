import LinuxIO
import StatusModel
import Testing

/// A guest that draws as fast as its fences let it, with a cap, on a real daemon and backend.
@Suite("Frame caps of a guest", .serialized)
struct FrameCapTests {
  /// Measured by the output's clock: the number of vblanks at 60 Hz between flips.
  private func intervals(_ host: LabHost, after frame: UInt64) throws -> [Int] {
    let times = try host.trace().scanouts.flatMap(\.frames).filter { $0.outcome == .flipped && $0.frame > frame }
      .compactMap(\.flippedNanoseconds).sorted()
    return zip(times, times.dropFirst()).map { Int((Double($1 - $0) * 60 / 1e9).rounded()) }
  }

  /// Flips, and gives the time in milliseconds that the fence of each took, sorted.
  private func flip(_ guest: CardGuest, count: Int) throws -> [Double] {
    try (0..<count).map { number in
      guest.draw(grey: UInt8(truncatingIfNeeded: number))
      let begun = monotonicNanoseconds()
      try guest.flip()
      return Double(monotonicNanoseconds() - begun) / 1e6
    }.sorted()
  }

  @Test(arguments: [24, 30])
  func `a guest's fences pace it evenly at 24 and 30 frames a second, without a copy or a lost frame`(cap: Int)
    throws
  {
    let host = try LabHost(outputs: ["headless:320x240@60"])
    let guest = try CardGuest(host: host, vm: "web", width: 320, height: 240)
    let processes = [host.daemonPID, guest.backend.pid, currentProcessID()]
    Lab.prefer(processes)
    defer { Lab.prefer(processes, false) }
    _ = try flip(guest, count: 10)
    try host.framepath(["vm", "set", "web", "--cap", "\(cap)"])
    _ = try flip(guest, count: 6)
    var (uneven, middle) = (Int.max, 0.0)
    // A machine that stalls shows a frame later, and never one earlier: one of three runs must be even.
    for run in UInt64(0)..<3 where uneven > 8 {
      let waits = try flip(guest, count: 150)
      let found = try intervals(host, after: 16 + run * 150)
      print("lab: cap \(cap): fences \(waits[0]) to \(waits[75]) to \(waits[149]) ms, vblanks \(Set(found).sorted())")
      #expect(found.count >= 140)
      #expect(found.allSatisfy { $0 >= 2 })
      middle = waits[75]
      uneven = cap == 30 ? found.count { $0 != 2 } : zip(found, found.dropFirst()).count { $0 + $1 != 5 }
    }
    #expect(uneven <= 8)
    #expect(abs(middle - 1000 / Double(cap)) < 5)
    let scanout = try host.status().scanout(vm: "web")
    // If the machine stalled for over 50 ms, Linux continued drawing.
    #expect(scanout.framesSuperseded <= 10)
    #expect(scanout.path == .direct)
    #expect(scanout.copiedBytes == 0)
    guest.end()
  }

  @Test func `a cap below Linux's flip timeout is kept exactly, with copies, while the guest continues within 50 ms`()
    throws
  {
    let host = try LabHost(outputs: ["headless:320x240@60"])
    let guest = try CardGuest(host: host, vm: "web", width: 320, height: 240)
    let processes = [host.daemonPID, guest.backend.pid, currentProcessID()]
    Lab.prefer(processes)
    defer { Lab.prefer(processes, false) }
    _ = try flip(guest, count: 10)
    #expect(try host.status().scanout(vm: "web").path == .direct)
    try host.framepath(["vm", "set", "web", "--cap", "10"])
    _ = try flip(guest, count: 10)
    let waits = try flip(guest, count: 60)
    let found = try intervals(host, after: 20)
    print("lab: cap 10: fences \(waits[0]) to \(waits[30]) to \(waits[59]) ms, vblanks \(Set(found).sorted())")
    #expect(waits[30] < 50, "Linux does not wait longer")
    #expect(found.allSatisfy { $0 >= 6 } && found.count { $0 != 6 } <= found.count / 4)
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.path == .copy)
    #expect(scanout.pathReason == "a cap of 10 frames per second delays flips beyond a guest's timeout of 50 ms")
    try host.framepath(["vm", "set", "web", "--cap", "0"])
    _ = try flip(guest, count: 10)
    #expect(try host.status().scanout(vm: "web").path == .direct)
    guest.end()
  }
}
