import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import Testing

/// Every frame has one answer, for any order of actions by clients and the host.
@Suite("Sharing an output at random")
struct RandomSharingTests {
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ state >> 29
    }
  }

  /// A client that remembers which of its frames were answered.
  private final class Guest {
    let client: BenchClient
    var generation: UInt32 = 0
    var frame: UInt64 = 0
    var answered: [UInt64: Int] = [:]

    init(_ client: BenchClient) { self.client = client }

    func read() throws {
      for case .frameDone(let done) in try client.messages() { answered[done.frame, default: 0] += 1 }
    }

    /// Presents a buffer, after creating it again if a move has destroyed it.
    func present(_ random: inout Generator) throws {
      try read()
      if generation != client.generation() {
        generation = client.generation()
        try client.makeBuffer(UInt32(frame) + 10, 32, 24)
        try client.makeBuffer(UInt32(frame) + 11, 20, 40)
        try client.makeBuffer(9, usage: .cursor)
        first = UInt32(frame) + 10
      }
      frame += 1
      let isTall = Bool.random(using: &random)
      let size = isTall ? Rect(width: 20, height: 40) : Rect(width: 32, height: 24)
      try client.present(frame, first + (isTall ? 1 : 0), source: size)
    }
    private var first: UInt32 = 0
  }

  @Test(
    arguments: 1...12 as ClosedRange<UInt64>
  )
  func `every frame is answered once, and the screen is black after all clients have left`(seed: UInt64) throws {
    var random = Generator(state: seed)
    let bench = try Bench([FakeOutput("a"), FakeOutput("b", cursorSize: 0)])
    var guests: [Guest] = []
    var count = 0
    let layouts = ["single", "tile", "focus", "tile 2x2", "tile vm1=0,0,30x20 vm2=30,20,34x28"]
    for _ in 0..<400 {
      switch Int.random(in: 0..<20, using: &random) {
      case 0 where guests.count < 6:
        count += 1
        guests.append(Guest(try bench.client("vm\(count)")))
      case 1 where !guests.isEmpty:
        let leaver = guests.remove(at: Int.random(in: 0..<guests.count, using: &random))
        leaver.client.leave()
        try bench.settle()
      case 2: try? bench.server?.apply("[outputs]\nlayout = \"\(layouts.randomElement(using: &random) ?? "")\"")
      case 3:
        let policy = ["fifo", "hybrid", "exclusive", "sla", "weightedFair"].randomElement(using: &random) ?? ""
        try bench.server?.apply("[output.a]\npolicy = \"\(policy)\"")
      case 4: try? bench.server?.focus(onVM: "vm\(Int.random(in: 1...max(count, 1), using: &random))")
      case 5:
        guard let guest = guests.randomElement(using: &random) else { continue }
        try guest.client.send(.disable(scanout: 0))
      case 6, 7:
        guard let guest = guests.randomElement(using: &random), guest.generation == guest.client.generation(),
          guest.generation != 0
        else { continue }
        try guest.read()
        guard guest.generation == guest.client.generation() else { continue }
        try guest.client.setCursor(
          Bool.random(using: &random) ? 9 : nil, Int32.random(in: -70...70, using: &random),
          Int32.random(in: -70...70, using: &random))
      case 8:
        bench.outputs[1].plug(!bench.outputs[1].info.connected)
      case 9..<15:
        guard let guest = guests.randomElement(using: &random) else { continue }
        try guest.present(&random)
      default:
        try bench.settle()
        for output in bench.outputs + bench.parked { output.vblank() }
      }
    }
    bench.outputs[1].info.connected = true
    for _ in 0..<100 {
      // Frames that are not visible are answered at their own pace.
      for output in bench.outputs + bench.parked { output.vblank() }
      try bench.loop.runOnce(timeoutMilliseconds: 20)
      for guest in guests { try guest.read() }
      if guests.allSatisfy({ $0.answered.count == Int($0.frame) }) { break }
    }
    for guest in guests {
      #expect(!guest.client.isEnded)
      #expect(guest.answered.count == Int(guest.frame))
      #expect(guest.answered.values.allSatisfy { $0 == 1 })
    }
    for guest in guests { guest.client.leave() }
    try bench.settle()
    for _ in 0..<4 { for output in bench.outputs { output.vblank() } }
    for output in bench.outputs {
      guard let shown = try output.shown?.buffer?.mapped() else { continue }
      for y in 0..<48 { for x in 0..<64 { #expect(shown.color(x, y) == 0) } }
    }
  }
}
