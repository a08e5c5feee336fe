import LinuxIO
import StatusModel
import Testing

/// A daemon that is killed repeatedly under guests without a kernel: real daemon and backends, nothing emulated, so
/// that many rounds are cheap.
@Suite("A daemon that is killed", .serialized)
struct RestartTests {
  @Test
  func `after each of 50 restarts every VM's picture is back within a second, no guest hangs and no fence is lost`()
    throws
  {
    let host = try LabHost(outputs: ["headless:640x480@60", "headless:320x240@60"])
    let (large, small) = (
      try CardGuest(host: host, vm: "large", width: 640, height: 480, pieceBytes: 1 << 16),
      try CardGuest(host: host, vm: "small", width: 320, height: 240)
    )
    try small.flip(grey: 0x5A)
    var seconds: [Double] = []
    for round in 0..<50 {
      // The daemon dies between flips, with a flip just begun, and with one half a vblank old.
      large.draw(grey: UInt8(round))
      try large.beginFlip()
      if round % 3 == 0 { try large.endFlip() }
      if round % 3 == 2 { try LabHost.pause(milliseconds: 8) }

      try host.restartDaemon()

      let begun = monotonicNanoseconds()
      if round % 3 != 0 { try large.endFlip() }
      let grey = UInt32(round) * 0x01_0101
      try host.expect(vm: "large", shows: .solid(grey, width: 640, height: 480))
      try host.expect(vm: "small", shows: .solid(0x5A_5A5A, width: 320, height: 240))
      seconds.append(Double(monotonicNanoseconds() - begun) / 1e9)
      if round % 10 == 9 { try small.flip(grey: 0x5A) }
      let scanout = try host.status().scanout(vm: "large")
      #expect(scanout.path == .direct)
      #expect(scanout.copiedBytes == 0)
    }
    // The middle one: a machine that is busy elsewhere may be late now and then.
    #expect(seconds.sorted()[25] < 1, "\(seconds.sorted())")
    #expect(large.backend.waitForExit(timeoutMilliseconds: 0) == nil)
    #expect(small.backend.waitForExit(timeoutMilliseconds: 0) == nil)
    large.end()
    small.end()
  }
}
