import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
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

  @Test func `four tiles hold their own VMs' pixels only, and one commit shows every ready frame`() throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x2\"")
    let colors: [UInt32] = [0x11_0000, 0x00_2200, 0x00_0033, 0x44_4400]
    var clients: [BenchClient] = []
    for (index, color) in colors.enumerated() { clients.append(try painter("vm\(index)", bench, color)) }
    #expect(clients[3].outputs[0]?.mode == DisplayMode(width: 32, height: 24, refreshMillihertz: 60_000))
    for client in clients { try client.present(1, 1, source: tileSource) }
    for _ in 0..<4 { try bench.vblank() }
    let shown = try #require(try bench.output.shown?.buffer?.mapped())
    for y in 0..<48 {
      for x in 0..<64 {
        let view = (y / 24) * 2 + x / 32
        #expect(shown.color(x, y) == colors[view])
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
    try bench.vblank()
    try bench.vblank()
    #expect(bench.output.commits.count <= before + 2)
  }

  @Test func `a tile's frame that changes nothing is answered, and copies nothing`() throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let (one, two) = (try painter("one", bench, 0x11_0000), try painter("two", bench, 0x00_2200))
    for client in [one, two] { try client.present(1, 1, source: tileSource) }
    for _ in 0..<4 { try bench.vblank() }
    _ = try one.messages()
    let copied = try one.readStatus().vms.flatMap(\.scanouts).reduce(0) { $0 + $1.copiedBytes }
    try one.present(2, 2, source: tileSource, damage: .nothing)
    for _ in 0..<4 { try bench.vblank() }
    let flips = try one.messages().filter {
      if case .frameDone(let done) = $0 { done.frame == 2 && done.outcome == .flipped } else { false }
    }
    #expect(flips.count == 1)
    #expect(try one.readStatus().vms.flatMap(\.scanouts).reduce(0) { $0 + $1.copiedBytes } == copied)
  }

  @Test func `a picture larger than its tile is cropped at the tile's edge, a smaller one is centred in black`() throws
  {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"tile left=0,0,32x48 right=32,8,16x8\"")
    let (left, right) = (try bench.client("left"), try bench.client("right"))
    try left.makeBuffer(1, 100, 100).fill(0xff_0000)
    try right.makeBuffer(1, 8, 4).fill(0x00_ff00)
    try left.present(1, 1, source: Rect(width: 100, height: 100))
    try right.present(1, 1, source: Rect(width: 8, height: 4))
    for _ in 0..<3 { try bench.vblank() }
    let shown = try #require(try bench.output.shown?.buffer?.mapped())
    #expect(shown.color(0, 0) == 0xff_0000)
    #expect(shown.color(31, 47) == 0xff_0000)
    #expect(shown.color(32, 8) == 0)
    #expect(shown.color(36, 10) == 0x00_ff00)
    #expect(shown.color(43, 13) == 0x00_ff00)
    #expect(shown.color(44, 13) == 0)
    #expect(shown.color(63, 47) == 0)
  }

  @Test func `the tile of a VM that disconnects becomes black, and the grid grows for the others`() throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"tile\"")
    let one = try painter("one", bench, 0x12_3456)
    #expect(one.outputs[0]?.mode.width == 64)
    let two = try painter("two", bench, 0x65_4321)
    _ = try one.messages()
    #expect(one.outputs[0]?.mode.width == 32)
    #expect(one.outputs[0]?.generation == 1)
    try two.present(1, 1, source: tileSource)
    try one.present(1, 1, source: tileSource)
    for _ in 0..<3 { try bench.vblank() }
    two.leave()
    try bench.settle()
    for _ in 0..<3 { try bench.vblank() }
    _ = try one.messages()
    #expect(one.outputs[0]?.mode.width == 64)
    let shown = try #require(try bench.output.shown?.buffer?.mapped())
    #expect(shown.color(63, 0) == 0)
    #expect(shown.color(32, 24) == 0x12_3456)
  }

  @Test func `tiles whose heads are all off turn the monitor off, and the first frame turns it on`() throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let source = Rect(width: 32, height: 48)
    let clients = try ["a", "b"].map { try bench.client($0) }
    func settle() throws {
      for _ in 0..<4 {
        try bench.loop.runOnce(timeoutMilliseconds: 20)
        try bench.vblank()
      }
    }
    for client in clients {
      try client.makeBuffer(1, 32, 48).fill(0x33_0044)
      try client.present(1, 1, source: source)
    }
    try settle()
    try clients[0].send(.disable(scanout: 0))
    try settle()
    let half = try #require(try bench.output.shown?.buffer?.mapped())
    #expect(half.color(0, 0) == 0 && half.color(63, 0) == 0x33_0044)
    try clients[1].send(.disable(scanout: 0))
    try settle()
    #expect(bench.output.shown?.buffer == nil)
    try clients[0].present(2, 1, source: source)
    try settle()
    let one = try #require(try bench.output.shown?.buffer?.mapped())
    for y in 0..<48 { for x in 0..<64 { #expect(one.color(x, y) == (x < 32 ? 0x33_0044 : 0)) } }
  }

  @Test func `focus goes to another VM with the next commit, by its waiting frame and without a new generation`() throws
  {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"focus\"")
    let (one, two) = (try bench.client("one"), try bench.client("two"))
    try one.makeBuffer(1).fill(1)
    try two.makeBuffer(1).fill(2)
    try one.present(1, 1)
    try two.present(1, 1)
    try bench.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 1)
    #expect(bench.output.pending == nil)
    try bench.server?.focus(onVM: "two")
    try bench.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 2)
    try bench.server?.focus(onVM: "one")
    try bench.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 1)
    _ = try two.messages()
    #expect(two.outputs[0]?.generation == 1)
    one.leave()
    try bench.settle()
    try bench.vblank()
    #expect(try bench.output.shown?.buffer?.mapped().color(5, 5) == 2)
  }

  @Test func `a VM that has the output alone sets its mode; while others wait for the focus, it keeps the mode`() throws
  {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"focus\"")
    let one = try bench.client("one")
    try one.makeBuffer(1)
    try one.present(1, 1)
    try bench.vblank()
    #expect(bench.output.keptModes == [nil, nil])
    let two = try bench.client("two")
    try one.present(2, 1)
    try bench.vblank()
    #expect(bench.output.keptModes.last == bench.output.info.mode)
    try two.makeBuffer(1)
    #expect(bench.output.keptModes.last == bench.output.info.mode)
    two.leave()
    try bench.settle()
    try bench.vblank()
    let questions = bench.output.fitQuestions
    try one.present(3, 1)
    try bench.vblank()
    #expect(bench.output.fitQuestions == questions, "the answer for it alone is known")
    #expect(bench.output.shown?.buffer != nil)
  }

  @Test func `a guest's mode of another rate sets the schedule from its flip on`() throws {
    let bench = try Bench(clock: HandClock())
    let client = try bench.client("web")
    try client.makeBuffer(1)
    try client.present(1, 1)
    try bench.vblank()
    let promise = "[vm.web]\nsla = 75"
    #expect(throws: SettingsError.self) { try bench.server?.apply(promise) }
    try client.present(2, 1)
    bench.output.info.mode.refreshMillihertz = 85_000
    try bench.vblank()
    #expect(throws: Never.self) { try bench.server?.apply(promise) }
  }

  @Test(arguments: ["fifo", "roundRobin", "weightedFair", "sla"])
  func `another policy between two commits loses no frame`(_ policy: String) throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let clients = [try painter("a", bench, 1), try painter("b", bench, 2)]
    var flips = 0
    for frame: UInt64 in 1...20 {
      for client in clients { try client.present(frame, UInt32(frame % 2) + 1, source: tileSource) }
      if frame == 10 { try bench.server?.apply("[output.fake-0]\npolicy = \"\(policy)\"") }
      for _ in 0..<3 { try bench.vblank() }
      for client in clients {
        for case .frameDone(let done) in try client.messages() where done.outcome == .flipped { flips += 1 }
      }
    }
    #expect(flips == 40)
  }

  @Test func `tiles that connected while one VM held the output are composed once they share it`() throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"\npolicy = \"exclusive\"")
    let clients = [try painter("a", bench, 0x11_2233), try painter("b", bench, 0x44_5566)]
    for client in clients { try client.present(1, 1, source: tileSource) }
    for _ in 0..<3 { try bench.vblank() }
    try bench.server?.apply("[outputs]\npolicy = \"hybrid\"")
    for client in clients { try client.present(2, 2, source: tileSource) }
    for _ in 0..<4 { try bench.vblank() }
    let shown = try #require(try bench.output.shown?.buffer?.mapped())
    #expect(shown.color(16, 24) == 0x11_2233)
    #expect(shown.color(48, 24) == 0x44_5566)
  }

  @Test func `a promise is checked against the layout of the same settings, in either order`() throws {
    // A copy of 4K takes 8.3 ms: 60 of them a second are half of the time, two such VMs more than can be promised.
    let bench = try Bench([FakeOutput(width: 3840, height: 2160)])
    let clients = [try bench.client("a"), try bench.client("b")]
    let views = "[outputs]\nlayout = \"tile a=0,0,3840x2000 b=0,2000,3840x160\""
    let promises = "\n[vm.a]\nsla = 60\n[vm.b]\nsla = 60"
    #expect(throws: Never.self) { try bench.server?.apply(views + promises) }
    let halves = "[outputs]\nlayout = \"tile a=0,0,3840x1080 b=0,1080,3840x1080\"\n[vm.a]\nsla = 240"
    #expect(throws: SettingsError.self) { try bench.server?.apply(halves) }
    // A load that would be too much in tiles is none if frames are shown directly.
    #expect(throws: Never.self) { try bench.server?.apply("[outputs]\nlayout = \"single\"" + promises) }
    #expect(clients.allSatisfy { !$0.isEnded })
  }

  @Test(arguments: [
    ("[outputs]\n\npolicy = \"fastest\"", "line 3: there is no policy fastest; there are: fifo, round-robin"),
    ("[vm.web]\nweight = 0", "line 2: weight is a whole number from 1 to 10000"),
    ("[output.fake-0]\nlayout = \"tile a=0,0,40x40 b=39,0,20x20\"", "line 2: a and b overlap"),
    (
      "[output.fake-0]\nlayout = \"tile a=60,0,5x5\"",
      "line 2: the place of a is not inside the output's 64x48 pixels"
    ),
    ("[output.DP-9]\nlayout = \"tile\"", "line 2: there is no output DP-9; there are: fake-0"),
    ("[vm.web]\nsla = 61", "line 2: cannot promise 61 frames a second to web beside the others; the maximum is 60"),
    (
      "[outputs]\nlayout = \"tile\"\nlayout = \"focus\"",
      "line 3: Error while parsing key-value pair: cannot redefine existing string 'layout'"
    ),
    ("policy = fifo", "line 1: Error while parsing boolean"),
  ])
  func `invalid settings are refused with their line and the reason, and change nothing`(
    _ text: String, _ reason: String
  ) throws {
    let bench = try Bench(clock: HandClock())
    var told = ""
    do { try bench.server?.apply("\(text)") } catch { told = "\(error)" }
    #expect(told.hasPrefix(reason))
    let output = try #require(try bench.tool().readStatus().outputs.first)
    #expect((output.layout, output.policy) == ("single", .hybrid))
  }

  @Test func `a command changes settings, or is refused with the reason`() throws {
    let bench = try Bench(clock: HandClock())
    let tool = try bench.tool()
    func send(_ changes: [SettingChange], request: UInt64) throws -> [ServerMessage] {
      let records = changes.flatMap(\.records)
      let file = try SettingRecords.file(records)
      try tool.send(.settings(count: records.count, request: request), fds: [file.raw])
      return try tool.messages()
    }
    let memory = SettingChange(.vm("web"), 205, .whole(1024))
    let answer = try send([SettingChange(.vm("web"), 201, .whole(200)), memory], request: 7)
    #expect(answer == [.done(request: 7)])
    let refusal = try send([memory, SettingChange(.vm("web"), 201, .whole(20_000))], request: 8)
    let text = "weight is a whole number from 1 to 10000"
    #expect(refusal == [.error(ErrorMessage(code: .refused, text: text), request: 8)])
    #expect(try bench.client("web").readStatus().vms.first?.weight == 200)
    #expect(bench.lines.contains { $0.hasSuffix("changed: [vm.web] weight = 200; [vm.web] max-memory = 1K") })
  }

  @Test func `FOCUS and REVOKE are answered by DONE, or refused with the existing names`() throws {
    let bench = try Bench(clock: HandClock())
    try bench.server?.apply("[outputs]\nlayout = \"focus\"")
    let tool = try bench.tool()
    let clients = [try bench.client("one"), try bench.client("two")]
    try tool.send(.focus(vm: "two", request: 3))
    try tool.send(.revoke(output: "fake-0", ofLease: false, request: 4))
    #expect(try tool.messages() == [.done(request: 3), .done(request: 4)])
    try tool.send(.focus(vm: "three", request: 5))
    try tool.send(.revoke(output: "fake-0", ofLease: true, request: 6))
    try tool.send(.revoke(output: "DP-9", ofLease: false, request: 7))
    let texts = [
      "there is no VM three on an output; there are: two, one", "fake-0 is not leased",
      "there is no output DP-9; there are: fake-0",
    ]
    #expect(
      try tool.messages().map { message in
        if case .error(let error, _) = message { error.text.replacing("one, two", with: "two, one") } else { "" }
      } == texts)
    #expect(clients.allSatisfy { !$0.isEnded })
  }

  @Test func `SETTINGS without its records is malformed and ends the connection`() throws {
    let bench = try Bench(clock: HandClock())
    let tool = try bench.tool()
    try tool.send(.settings(count: 1, request: 7))
    #expect(
      try tool.messages()
        == [.error(ErrorMessage(code: .malformed, text: "SETTINGS without a sealed memfd"), request: 0)])
    #expect(try tool.ends())
  }
}
