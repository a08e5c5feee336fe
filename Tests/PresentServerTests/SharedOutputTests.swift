import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import Testing

@Suite("An output that several share")
struct SharedOutputTests {
  /// A client of a tile, with two buffers of the tile's size filled with one colour.
  private func painter(_ name: String, _ bench: Bench, _ color: UInt32) throws -> BenchClient {
    let client = try bench.client(name)
    for id: UInt32 in 1...2 { try client.makeBuffer(id, 32, 24).fill(color) }
    return client
  }

  private let tileSource = Rect(width: 32, height: 24)

  @Test("four tiles hold their VMs' pixels and nobody else's, and one commit shows what is ready")
  func tiles() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x2\"")
    let colors: [UInt32] = [0x11_0000, 0x00_2200, 0x00_0033, 0x44_4400]
    var clients: [BenchClient] = []
    for (index, color) in colors.enumerated() { clients.append(try painter("vm\(index)", bench, color)) }
    #expect(clients[3].outputs[0]?.mode == DisplayMode(width: 32, height: 24, refreshMillihertz: 60_000))
    for client in clients { try client.present(1, 1, source: tileSource) }
    for _ in 0..<4 { bench.output.vblank() }
    let shown = try #require(try bench.output.shown?.buffer?.mapped())
    for y in 0..<48 {
      for x in 0..<64 {
        let tile = (y / 24) * 2 + x / 32
        #expect(shown.color(x, y) == colors[tile])
      }
    }
    for client in clients {
      let flips = try client.messages().filter {
        if case .frameDone(let done) = $0 { done.outcome == .flipped } else { false }
      }
      #expect(flips.count == 1)
    }
    let before = bench.output.commits.count
    for client in clients { try client.present(2, 2, source: tileSource) }
    bench.output.vblank()
    bench.output.vblank()
    #expect(bench.output.commits.count <= before + 2)
  }

  @Test("a picture larger than its tile is cropped at the tile's edge, a smaller one is centred in black")
  func otherSizes() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile left=0,0,32x48 right=32,8,16x8\"")
    let (left, right) = (try bench.client("left"), try bench.client("right"))
    try left.makeBuffer(1, 100, 100).fill(0xff_0000)
    try right.makeBuffer(1, 8, 4).fill(0x00_ff00)
    try left.present(1, 1, source: Rect(width: 100, height: 100))
    try right.present(1, 1, source: Rect(width: 8, height: 4))
    for _ in 0..<3 { bench.output.vblank() }
    let shown = try #require(try bench.output.shown?.buffer?.mapped())
    #expect(shown.color(0, 0) == 0xff_0000)
    #expect(shown.color(31, 47) == 0xff_0000)
    #expect(shown.color(32, 8) == 0)
    #expect(shown.color(36, 10) == 0x00_ff00)
    #expect(shown.color(43, 13) == 0x00_ff00)
    #expect(shown.color(44, 13) == 0)
    #expect(shown.color(63, 47) == 0)
  }

  @Test("a VM that leaves leaves its tile black, and the grid grows for the others")
  func leaving() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile\"")
    let one = try painter("one", bench, 0x12_3456)
    #expect(one.outputs[0]?.mode.width == 64)
    let two = try painter("two", bench, 0x65_4321)
    _ = try one.messages()
    #expect(one.outputs[0]?.mode.width == 32)
    #expect(one.outputs[0]?.generation == 1)
    try two.present(1, 1, source: tileSource)
    try one.present(1, 1, source: tileSource)
    for _ in 0..<3 { bench.output.vblank() }
    two.leave()
    try bench.settle()
    for _ in 0..<3 { bench.output.vblank() }
    _ = try one.messages()
    #expect(one.outputs[0]?.mode.width == 64)
    let shown = try #require(try bench.output.shown?.buffer?.mapped())
    #expect(shown.color(63, 0) == 0)
    #expect(shown.color(32, 24) == 0x12_3456)
  }

  @Test("focus goes to another VM with the next commit, by its waiting frame and without a new generation")
  func focus() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"focus\"")
    let (one, two) = (try bench.client("one"), try bench.client("two"))
    try one.makeBuffer(1).fill(1)
    try two.makeBuffer(1).fill(2)
    try one.present(1, 1)
    try two.present(1, 1)
    bench.output.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 1)
    #expect(bench.output.pending == nil)
    try bench.server?.apply("focus = \"two\"")
    bench.output.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 2)
    try bench.server?.apply("focus = \"one\"")
    bench.output.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 1)
    _ = try two.messages()
    #expect(two.outputs[0]?.generation == 1)
    one.leave()
    try bench.settle()
    bench.output.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 2)
  }

  @Test("another policy between two commits loses no frame", arguments: ["fifo", "roundRobin", "weightedFair", "sla"])
  func policy(_ policy: String) throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let clients = [try painter("a", bench, 1), try painter("b", bench, 2)]
    var flips = 0
    for frame: UInt64 in 1...20 {
      for client in clients { try client.present(frame, UInt32(frame % 2) + 1, source: tileSource) }
      if frame == 10 { try bench.server?.apply("[output.fake-0]\npolicy = \"\(policy)\"") }
      for _ in 0..<3 { bench.output.vblank() }
      for client in clients {
        for case .frameDone(let done) in try client.messages() where done.outcome == .flipped { flips += 1 }
      }
    }
    #expect(flips == 40)
  }

  @Test(
    "settings that cannot be are refused with their line and the reason, and change nothing",
    arguments: [
      ("[outputs]\n\npolicy = \"fastest\"", "line 3: there is no policy fastest; there are: fifo, roundRobin"),
      ("[vm.web]\nweight = 0", "line 2: weight is a whole number from 1 to 10000"),
      ("[output.fake-0]\nlayout = \"tile a=0,0,40x40 b=39,0,20x20\"", "line 2: a and b overlap"),
      (
        "[output.fake-0]\nlayout = \"tile a=60,0,5x5\"",
        "line 2: the place of a is not inside the output's 64x48 pixels"
      ),
      ("[output.DP-9]\nlayout = \"tile\"", "line 2: there is no output DP-9; there are: fake-0"),
      ("[vm.web]\nsla = 61", "line 2: 61 frames a second cannot be promised to web beside the others; the most is 60"),
      ("focus = \"web\"", "line 1: there is no VM web on an output; there are: none"),
      ("[outputs]\nlayout = \"tile\"\nlayout = \"focus\"", "line 3: layout is set twice"),
      ("policy = fifo", "line 1: fifo is no number; texts stand in quotes"),
    ])
  func refused(_ text: String, _ reason: String) throws {
    let bench = try Bench()
    var told = ""
    do { try bench.server?.apply("\(text)") } catch { told = "\(error)" }
    #expect(told.hasPrefix(reason))
    let status = try bench.client("x", scanouts: 0).statusOutput()
    #expect(status.contains("\"layout\":\"single\",\"policy\":\"hybrid\""))
  }

  @Test("memory is shared: who asks for more than is left is told, nobody is ended, and what comes back is given again")
  func memory() throws {
    let bench = try Bench()
    try bench.server?.apply("[memory]\ncapacity = \"25K\"\n[vm.small]\nmax-memory = \"8K\"")
    let clients = try (0..<3).map { try bench.client("vm\($0)") }
    try clients[0].makeBuffer(1)
    try clients[1].makeBuffer(1)
    func ask(_ client: BenchClient) throws -> [ServerMessage] {
      try client.send(
        .createBuffer(
          CreateBuffer(
            bufferID: 1, scanout: 0, generation: client.generation(), width: 64, height: 48, format: .xrgb8888,
            usage: .frame), request: 9))
      return try client.messages()
    }
    let text =
      "12288 bytes more than the 24576 that all hold would exceed the daemon's capacity of 25600 bytes; ask again when "
      + "a VM has ended"
    #expect(try ask(clients[2]) == [.error(ErrorMessage(code: .noMemory, text: text), request: 9)])
    #expect(!clients[2].isEnded)
    clients[0].leave()
    try bench.settle()
    // The output has become free: its new holder asks for the new generation.
    _ = try clients[1].messages() + clients[2].messages()
    let answer = try ask(clients[2])
    guard case .buffer? = answer.first else { return #expect(answer.isEmpty) }
    let small = try bench.client("small")
    let limit = "12288 bytes more than the 0 held would exceed the limit of 8192 bytes"
    #expect(try ask(small) == [.error(ErrorMessage(code: .noMemory, text: limit), request: 9)])
  }

  @Test("CONTROL changes settings, or is refused with the reason")
  func control() throws {
    let bench = try Bench()
    let tool = try bench.client("tool", scanouts: 0)
    try tool.send(.control("[vm.web]\nweight = 200\nmax-memory = \"1K\"", request: 7))
    #expect(try tool.messages() == [.controlReply(request: 7)])
    try tool.send(.control("[vm.web]\nweight = 20000", request: 8))
    let text = "weight is a whole number from 1 to 10000"
    #expect(try tool.messages() == [.error(ErrorMessage(code: .refused, text: text), request: 8)])
    #expect(try bench.client("web").statusOutput().contains("\"weight\":200"))
  }
}
