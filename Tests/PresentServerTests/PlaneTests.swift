import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import Testing

@Suite("Overlay planes for tiles")
struct PlaneTests {
  private let tileSource = Rect(width: 32, height: 48)

  /// Two VMs side by side on an output with a number of overlay planes, with buffers of one colour each.
  private func stage(_ overlays: Int) throws -> (Bench, [BenchClient]) {
    let bench = try Bench()
    bench.output.overlayCount = overlays
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let clients = try ["a", "b"].enumerated().map { index, name in
      let client = try bench.client(name)
      for id: UInt32 in 1...2 { try client.makeBuffer(id, 32, 48) }
      return client
    }
    return (bench, clients)
  }

  /// Shows a frame of each, and lets vblanks pass until all of them are on screen.
  private func play(_ bench: Bench, _ clients: [BenchClient], frame: UInt64) throws {
    for client in clients { try client.present(frame, UInt32(frame % 2) + 1, source: tileSource) }
    for _ in 0..<4 {
      bench.output.vblank()
      try bench.settle()
    }
    for client in clients { _ = try client.messages() }
  }

  private func copiedBytes(_ client: BenchClient) throws -> [Int] {
    try client.readStatus().vms.flatMap(\.scanouts).map { Int(clamping: $0.copiedBytes) }
  }

  @Test func `a tile on its own plane is not copied, and its frames do not change the other tiles' picture`()
    throws
  {
    let (bench, clients) = try stage(2)
    for frame: UInt64 in 1...4 { try play(bench, clients, frame: frame) }
    let before = try copiedBytes(clients[0])
    let picture = bench.output.commits.last?.frame.buffer
    for frame: UInt64 in 5...12 { try play(bench, clients, frame: frame) }
    #expect(try copiedBytes(clients[0]) == before)
    let last = try #require(bench.output.commits.last?.frame)
    #expect(last.buffer === picture)
    #expect(last.overlays.count == 2)
    for plane in 0..<2 {
      let overlay = try #require(last.overlays[plane])
      #expect(overlay.source.size == tileSource.size && [0, 32].contains(overlay.x) && overlay.y == 0)
    }
    let scanouts = try clients[0].readStatus().vms.flatMap(\.scanouts)
    #expect(scanouts.contains { $0.path == .copy && $0.pathReason?.hasPrefix("overlay plane") == true })
    #expect(bench.output.overlayQuestions <= 2, "what the hardware said is remembered")
  }

  @Test func `tiles without a plane are copied`() throws {
    let (bench, clients) = try stage(1)
    for frame: UInt64 in 1...8 { try play(bench, clients, frame: frame) }
    #expect(bench.output.commits.last?.frame.overlays.count == 1)
    let before = try copiedBytes(clients[0])
    try play(bench, clients, frame: 9)
    let after = try copiedBytes(clients[0])
    #expect(zip(before, after).count { $0 < $1 } == 1)
  }

  @Test func `a plane refused by TEST_ONLY is not tested again at once, and the tile is copied`()
    throws
  {
    let (bench, clients) = try stage(1)
    bench.output.acceptsOverlays = { $0.isEmpty }
    for frame: UInt64 in 1...10 { try play(bench, clients, frame: frame) }
    #expect(bench.output.commits.allSatisfy { $0.frame.overlays.isEmpty })
    #expect((1...4).contains(bench.output.overlayQuestions))
  }

  @Test func `a real commit that is refused after the test is repeated with copies, and no frame is lost`()
    throws
  {
    let (bench, clients) = try stage(2)
    for frame: UInt64 in 1...4 { try play(bench, clients, frame: frame) }
    bench.output.refusals = [.rejected("no bandwidth")]
    let before = bench.output.commits.count
    for client in clients { try client.present(5, 2, source: tileSource) }
    bench.output.vblank()
    var flips = 0
    for _ in 0..<4 {
      bench.output.vblank()
      try bench.settle()
    }
    for client in clients {
      for case .frameDone(let done) in try client.messages() where done.frame == 5 {
        #expect(done.outcome == .flipped)
        flips += 1
      }
    }
    #expect(flips == 2)
    let first = try #require(bench.output.commits.dropFirst(before).first)
    #expect(first.frame.overlays.isEmpty)
  }

  @Test func `a larger picture on a plane is cut at its tile's edges`() throws {
    let bench = try Bench()
    bench.output.overlayCount = 1
    try bench.server?.apply("[outputs]\nlayout = \"tile a=8,4,16x20\"")
    let client = try bench.client("a")
    for id: UInt32 in 1...2 { try client.makeBuffer(id, 40, 30) }
    for frame: UInt64 in 1...4 {
      try client.present(frame, UInt32(frame % 2) + 1, source: Rect(width: 40, height: 30))
      for _ in 0..<3 {
        bench.output.vblank()
        try bench.settle()
      }
    }
    let overlay = try #require(bench.output.commits.last?.frame.overlays[0])
    #expect(overlay.source == Rect(x: 12, y: 5, width: 16, height: 20))
    #expect((overlay.x, overlay.y) == (8, 4))
  }

  @Test func `a VM whose cursor appears is copied again, with the cursor over its picture`() throws {
    let (bench, clients) = try stage(2)
    for client in clients {
      for id: UInt32 in 1...2 { client.mapped[id]?.fill(0x12_3456) }
    }
    for frame: UInt64 in 1...4 { try play(bench, clients, frame: frame) }
    #expect(bench.output.commits.last?.frame.overlays.count == 2)
    try clients[0].makeBuffer(9, 64, 64, format: .argb8888, usage: .cursor).fill(0xff_ff_ff_ff)
    try clients[0].setCursor(9, 4, 4)
    for _ in 0..<4 {
      bench.output.vblank()
      try bench.settle()
    }
    let last = try #require(bench.output.commits.last?.frame)
    #expect(last.overlays.count == 1)
    let shown = try #require(try last.buffer?.mapped())
    #expect(shown.color(2, 2) == 0x12_3456)
    #expect(shown.color(6, 6) == 0xff_ffff)
    #expect(shown.color(31, 40) == 0xff_ffff)
  }

  @Test func `another layout, and the exclusive policy, take the planes away`() throws {
    let (bench, clients) = try stage(2)
    for frame: UInt64 in 1...4 { try play(bench, clients, frame: frame) }
    try bench.server?.apply("[outputs]\npolicy = \"exclusive\"")
    try play(bench, clients, frame: 5)
    #expect(bench.output.commits.last?.frame.overlays.isEmpty == true)
    try bench.server?.apply("[outputs]\npolicy = \"hybrid\"")
    for frame: UInt64 in 6...10 { try play(bench, clients, frame: frame) }
    #expect(bench.output.commits.last?.frame.overlays.count == 2)
  }
}

extension Rect {
  fileprivate var size: [Int] { [width, height] }
}
