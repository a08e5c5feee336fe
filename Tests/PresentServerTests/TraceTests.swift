import Foundation
import PresentProtocol
import PresentServer
import Testing

@Suite("Traces")
struct TraceTests {
  private func frames(_ client: BenchClient) throws -> [[String: Any]] {
    try client.send(.trace(request: 3))
    _ = try client.messages()
    let root = try #require(try JSONSerialization.jsonObject(with: Data(client.status.utf8)) as? [String: Any])
    let scanout = try #require((root["scanouts"] as? [[String: Any]])?.first)
    #expect(scanout["vm"] as? String == "vm")
    return try #require(scanout["frames"] as? [[String: Any]])
  }

  private func number(_ frame: [String: Any], _ key: String) -> Int { frame[key] as? Int ?? -1 }

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
    #expect(frames.map { number($0, "frame") } == [1, 2])
    #expect(frames.allSatisfy { $0["outcome"] as? String == "flipped" })
    #expect(number(frames[0], "copiedBytes") == 77)
    let first = frames[0]
    #expect(number(first, "presentedNanoseconds") > 0)
    #expect(number(first, "latchedNanoseconds") >= number(first, "presentedNanoseconds"))
    #expect(number(first, "flippedNanoseconds") > 0)
    #expect(number(first, "releasedNanoseconds") > 0)
    #expect(number(frames[1], "releasedNanoseconds") == 0)
  }

  @Test func `a replaced frame is traced as superseded`() throws {
    let bench = try Bench()
    let client = try bench.client()
    for buffer: UInt32 in 1...3 { try client.makeBuffer(buffer) }
    for frame: UInt64 in 1...3 { try client.present(frame, UInt32(frame)) }
    bench.output.vblank()
    let outcomes = try frames(client).compactMap { $0["outcome"] as? String }
    #expect(outcomes.contains("superseded"))
    #expect(outcomes.first == "flipped" && outcomes.last != "superseded")
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
    #expect(frames.map { number($0, "frame") } == Array(89...600))
  }
}
