import LinuxIO
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import TestSupport
import Testing

/// 2 Hz: a busy machine does not miss such a vblank.
private let slow = DisplayMode(width: 64, height: 48, refreshMillihertz: 2_000)

@Suite("Late latching")
struct LateLatchTests {
  /// The vblank of a frame's flip, from its FRAME_DONE.
  private func flip(of frame: UInt64, _ bench: Bench, _ client: BenchClient) throws -> UInt64 {
    var sequence: UInt64?
    _ = try bench.run {
      for case .frameDone(let done) in try client.messages() where done.frame == frame && done.outcome == .flipped {
        sequence = done.sequence
      }
      return sequence != nil
    }
    return try #require(sequence)
  }

  @Test func `a moving cursor does not delay a frame presented after it beyond the next vblank`() throws {
    let bench = try Bench(headless: [slow])
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    try client.makeBuffer(9, usage: .cursor)
    try client.setCursor(9, 1, 1)
    try client.present(1, 1)
    let first = try flip(of: 1, bench, client)
    try client.setCursor(9, 5, 5)
    try client.present(2, 2)
    #expect(try flip(of: 2, bench, client) == first + 1)
  }

  @Test func `a cursor that moves alone is on screen at the next vblank, by one commit`() throws {
    let bench = try Bench(headless: [slow])
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(9, usage: .cursor)
    try client.present(1, 1)
    let first = try flip(of: 1, bench, client)
    for x: Int32 in 1...5 { try client.setCursor(9, x, 0) }
    try client.setCursor(nil, 0, 0)
    // The picture's buffer is released when the last commit with it has left the screen.
    try client.present(2, 1)
    #expect(try flip(of: 2, bench, client) == first + 1)
    #expect(try client.readStatus().commits == 2)
  }

  @Test func `a frame on an idle screen is committed at once, and one after a flip as well`() throws {
    let bench = try Bench(headless: [slow])
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    try client.present(1, 1)
    #expect(try client.readStatus().commits == 1)
    _ = try flip(of: 1, bench, client)
    try client.present(2, 2)
    #expect(try client.readStatus().commits == 2)
  }

  @Test func `an idle output wakes no process`() throws {
    let bench = try Bench(headless: [DisplayMode(width: 64, height: 48, refreshMillihertz: 200_000)])
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(9, usage: .cursor)
    try client.present(1, 1)
    _ = try flip(of: 1, bench, client)
    try client.setCursor(9, 3, 3)
    try bench.loop.idle(milliseconds: 100)
    #expect(try bench.loop.runOnce(timeoutMilliseconds: 300) == 0)
  }
}
