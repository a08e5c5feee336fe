import PresentProtocol
import PresentServer
import ServerSupport
import StatusModel
import Testing

@Suite("Traces")
struct TraceTests {
  private func frames(_ client: BenchClient) throws -> [DaemonTrace.Frame] {
    let trace = try client.readTrace()
    #expect(trace.scanouts.map(\.vm) == ["vm"])
    return try #require(trace.frames(ofVM: "vm"))
  }

  @Test func `a frame's stages come one after the other`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.makeBuffer(2)
    try client.present(1, 1, copiedBytes: 77)
    bench.output.vblank()
    try client.present(2, 2)
    bench.output.vblank()
    let frames = try frames(client)
    #expect(frames.map(\.frame) == [1, 2])
    #expect(frames.map(\.outcome) == [.flipped, .flipped])
    #expect(frames.map(\.copiedBytes) == [77, 0])
    let first = frames[0]
    #expect(first.readyNanoseconds == nil)
    #expect(try #require(first.latchedNanoseconds) >= first.presentedNanoseconds)
    #expect(first.flippedNanoseconds != nil)
    #expect(first.releasedNanoseconds != nil)
    #expect(frames[1].releasedNanoseconds == nil)
  }

  @Test func `a replaced frame is traced as superseded`() throws {
    let bench = try Bench()
    let client = try bench.client()
    for buffer: UInt32 in 1...3 { try client.makeBuffer(buffer) }
    for frame: UInt64 in 1...3 { try client.present(frame, UInt32(frame)) }
    bench.output.vblank()
    let outcomes = try frames(client).map(\.outcome)
    #expect(outcomes.contains(.superseded))
    #expect(outcomes.first == .flipped && outcomes.last != .superseded)
  }

  @Test func `the last 512 frames are kept`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1)
    for frame: UInt64 in 1...600 {
      try client.present(frame, 1)
      bench.output.vblank()
      _ = try client.messages()
    }
    let frames = try frames(client)
    #expect(frames.map(\.frame) == Array(89...600))
  }
}
