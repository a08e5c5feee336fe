import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import Testing

@Suite("Frame caps in the daemon")
struct CapTests {
  private static let mode = DisplayMode(width: 64, height: 48, refreshMillihertz: 60_000)

  /// Vblanks at which a client that answers each FRAME_DONE with its next frame was shown.
  private func flips(_ client: BenchClient, _ bench: Bench, count: Int) throws -> [UInt64] {
    var sequences: [UInt64] = []
    var frame: UInt64 = 0
    while sequences.count < count {
      frame += 1
      try client.present(frame, UInt32(frame % 3) + 1)
      var isDone = false
      let came = try bench.run {
        for case .frameDone(let done) in try client.messages() {
          isDone = true
          if done.outcome == .flipped { sequences.append(done.sequence) }
        }
        return isDone
      }
      try #require(came)
    }
    return sequences
  }

  @Test(arguments: [24, 30])
  func `a client that waits for its flips is shown no more often than its cap, and none is lost`(cap: UInt64) throws {
    let bench = try Bench(headless: [CapTests.mode])
    let client = try bench.client()
    try bench.server?.apply("[vm.vm]\ncap = \(cap)")
    for id: UInt32 in 1...3 { try client.makeBuffer(id) }
    let sequences = try flips(client, bench, count: 30)
    let intervals = zip(sequences, sequences.dropFirst()).map { $1 - $0 }.dropFirst(4)
    // A busy machine may show a frame later, never earlier.
    #expect(intervals.allSatisfy { $0 >= 2 }, "\(intervals)")
    #expect(intervals.reduce(0, +) + 2 >= UInt64(intervals.count) * 60 / cap)
    #expect(try client.readStatus().vms.first?.scanouts.first?.framesSuperseded == 0)
    try bench.server?.apply("[vm.vm]\ncap = 0")
    let free = try flips(client, bench, count: 12)
    #expect(zip(free, free.dropFirst()).contains { $1 - $0 == 1 })
  }

  @Test func `a VM capped below Linux's flip timeout has its frames copied, and shown directly again without the cap`()
    throws
  {
    let bench = try Bench()
    let client = try bench.client()
    func imports(_ id: UInt32) throws -> String? {
      let layout = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
      let memory = try MemFD.create(name: "guest", byteCount: layout.byteCount)
      let list = try ImportRanges.list([ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: layout.byteCount)])
      try client.send(
        .importBuffer(
          ImportBuffer(
            bufferID: id, scanout: 0, generation: client.generation(), layout: layout, modifier: 0,
            memoryKind: .memfd, rangeCount: 1), request: UInt64(id)), fds: [list.raw, memory.raw])
      for case .error(let error, _) in try client.messages() { return error.text }
      return nil
    }
    #expect(try imports(1) == nil)
    try bench.server?.apply("[vm.vm]\ncap = 10")
    _ = try client.messages()
    #expect(client.generation() == 2, "it makes its buffers anew")
    #expect(
      try imports(2) == "a cap of 10 frames per second delays flips beyond a guest's timeout of 50 ms")
    try bench.server?.apply("[vm.vm]\ncap = 24")
    _ = try client.messages()
    #expect(client.generation() == 3)
    #expect(try imports(3) == nil)
    try bench.server?.apply("[vm.vm]\ncap = 30")
    _ = try client.messages()
    #expect(client.generation() == 3)
  }

  @Test func `a cap below the promised rate is refused with the largest possible promise`() throws {
    let bench = try Bench()
    _ = try bench.client("web")
    try bench.server?.apply("[vm.web]\nsla = 30")
    var told: [String] = []
    for text in ["cap = 24", "cap = 40\nsla = 50"] {
      do { try bench.server?.apply("[vm.web]\n\(text)") } catch { told.append("\(error)") }
    }
    do { try bench.server?.apply("[vm.later]\nsla = 20\ncap = 10") } catch { told.append("\(error)") }
    #expect(
      told == [
        "line 2: cannot promise 30 frames a second to web with a cap of 24; the maximum is 24",
        "line 3: cannot promise 50 frames a second to web with a cap of 40; the maximum is 40",
        "line 3: cannot promise 20 frames a second to later with a cap of 10; the maximum is 10",
      ])
    try bench.server?.apply("[vm.web]\ncap = 30")
  }
}
