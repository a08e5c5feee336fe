import DaemonSettings
import GraphicsMemory
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import Testing

@testable import PresentServer

/// Copies into tiles are made in parts. With each look at the clock some time passes by hand.
@Suite("Painting of tiles")
struct PaintingTests {
  private static let size = (width: 1920, height: 1080)

  private func bench(
    layout: String, _ output: FakeOutput = FakeOutput(width: Self.size.width, height: Self.size.height)
  ) throws -> (Bench, HandClock) {
    let clock = HandClock()
    let bench = try Bench([output], clock: clock)
    try bench.server?.apply("[outputs]\nlayout = \"\(layout)\"")
    return (bench, clock)
  }

  /// Lets the loop and the clock's timers run until a commit is pending; how many iterations had a part of a copy.
  private func runToCommit(_ bench: Bench, _ clock: HandClock) throws -> Int {
    var parts = 0
    for _ in 0..<1000 {
      try bench.settle()
      if bench.output.isCommitPending { return parts }
      guard clock.fireNext(until: .max) else { break }
      parts += 1
    }
    Issue.record("no commit comes")
    return parts
  }

  @Test func `copies take a millisecond and a half of an iteration of the loop, and one step more at most`() throws {
    let (bench, clock) = try bench(layout: "tile 1x1")
    let client = try bench.client()
    let source = Rect(width: Self.size.width, height: Self.size.height)
    for id: UInt32 in 1...2 { try client.makeBuffer(id, source.width, source.height).fill(id * 0x11_1111) }
    let step: UInt64 = 300_000
    clock.nanosecondsPerRead = step
    for frame: UInt64 in 1...6 {
      try client.present(frame, UInt32(frame % 2 + 1), source: source)
      let parts = try runToCommit(bench, clock)
      #expect(parts > 0)
      let picture = try #require(try bench.output.pending?.buffer?.mapped())
      #expect(picture.color(0, 0) == UInt32(frame % 2 + 1) * 0x11_1111)
      #expect(picture.color(source.width - 1, source.height - 1) == UInt32(frame % 2 + 1) * 0x11_1111)
      bench.output.vblank()
      try bench.settle()
    }
    let budget = try #require(bench.server?.placement.budget)
    #expect(budget.longestNanoseconds >= PaintBudget.pieceNanoseconds / 2)
    try expectShortIterations(bench, step: step)
  }

  @Test func `frames that an output cannot show as they are are composed in parts too`() throws {
    let output = FakeOutput(width: Self.size.width, height: Self.size.height, fit: .compose("no such mode"))
    let (bench, clock) = try bench(layout: "single", output)
    let client = try bench.client()
    let source = Rect(width: Self.size.width, height: Self.size.height)
    for id: UInt32 in 1...2 { try client.makeBuffer(id, source.width, source.height).fill(id * 0x11_1111) }
    clock.nanosecondsPerRead = 600_000
    for frame: UInt64 in 1...5 {
      try client.present(frame, UInt32(frame % 2 + 1), source: source)
      let parts = try runToCommit(bench, clock)
      #expect(parts > 0)
      let picture = try #require(try bench.output.pending?.buffer?.mapped())
      for row in stride(from: 0, to: source.height, by: 7) {
        #expect(picture.color(row, row) == UInt32(frame % 2 + 1) * 0x11_1111)
      }
      bench.output.vblank()
      try bench.settle()
    }
    let copied = try client.readStatus().vms.flatMap(\.scanouts).reduce(0) { $0 + $1.copiedBytes }
    #expect(copied == 5 * UInt64(source.width * source.height * 4))
  }

  @Test func `a frame whose commit is refused is composed in parts`() throws {
    let (bench, clock) = try bench(layout: "single")
    let client = try bench.client()
    let source = Rect(width: Self.size.width, height: Self.size.height)
    try client.makeBuffer(1, source.width, source.height).fill(0x12_3456)
    clock.nanosecondsPerRead = 300_000
    bench.output.refusals = [.rejected("EINVAL")]
    try client.present(1, 1, source: source)
    #expect(try runToCommit(bench, clock) > 0)
    let picture = try #require(try bench.output.pending?.buffer?.mapped())
    #expect(picture.color(0, 0) == 0x12_3456)
    #expect(picture.color(source.width - 1, source.height - 1) == 0x12_3456)
    try expectShortIterations(bench, step: 300_000)
  }

  @Test func `tiles whose overlay planes are refused are copied in parts`() throws {
    let (bench, clock) = try bench(layout: "tile 2x1")
    bench.output.overlayCount = 2
    let view = Rect(width: Self.size.width / 2, height: Self.size.height)
    let clients = try ["a", "b"].map { try bench.client($0) }
    for client in clients {
      for id: UInt32 in 1...2 { try client.makeBuffer(id, view.width, view.height).fill(id * 0x11_1111) }
    }
    var frame: UInt64 = 0
    func present() throws {
      frame += 1
      for client in clients { try client.present(frame, UInt32(frame % 2 + 1), source: view) }
    }
    while bench.output.commits.last?.frame.overlays.count != 2, frame < 10 {
      try present()
      _ = try runToCommit(bench, clock)
      bench.output.vblank()
      try bench.settle()
    }
    #expect(bench.output.commits.last?.frame.overlays.count == 2)

    clock.nanosecondsPerRead = 300_000
    bench.output.refusals = [.rejected("no bandwidth")]
    try present()
    #expect(try runToCommit(bench, clock) > 0)
    #expect(bench.output.refusals.isEmpty)
    let pending = try #require(bench.output.pending)
    #expect(pending.overlays.isEmpty)
    let picture = try #require(try pending.buffer?.mapped())
    for x in [0, view.width - 1, view.width, 2 * view.width - 1] {
      #expect(picture.color(x, x / 2) == UInt32(frame % 2 + 1) * 0x11_1111)
    }
    try expectShortIterations(bench, step: 300_000)
  }

  @Test func `a half composed frame is not continued with another VM's frame of the same number`() throws {
    let source = Rect(width: 3840, height: 2160)
    let output = FakeOutput(width: source.width, height: source.height, fit: .compose("no such mode"))
    let (bench, clock) = try bench(layout: "focus", output)
    let clients = try ["a", "b"].map { try bench.client($0) }
    for (client, color) in zip(clients, [0x11_1111, 0x22_2222] as [UInt32]) {
      try client.makeBuffer(1, source.width, source.height).fill(color)
    }
    try bench.server?.focus(onVM: "a")
    clock.nanosecondsPerRead = 900_000
    try clients[0].present(1, 1, source: source)
    #expect(bench.server?.presenters.first?.work.isEmpty == false)
    try clients[1].present(1, 1, source: source)
    try bench.server?.focus(onVM: "b")
    #expect(!bench.output.isCommitPending)
    _ = try runToCommit(bench, clock)
    let picture = try #require(try bench.output.pending?.buffer?.mapped())
    for row in stride(from: 0, to: source.height, by: 7) { #expect(picture.color(row, row) == 0x22_2222) }
  }

  /// No iteration of the loop had more copying than its budget and a step of the clock.
  private func expectShortIterations(_ bench: Bench, step: UInt64) throws {
    let budget = try #require(bench.server?.placement.budget)
    #expect(budget.longestNanoseconds <= PaintBudget.iterationNanoseconds + step)
  }

  @Test func `a frame's copied bytes are its pixels, however many parts its copy has`() throws {
    let (bench, clock) = try bench(layout: "tile 1x1")
    let client = try bench.client()
    let source = Rect(width: Self.size.width, height: Self.size.height)
    for id: UInt32 in 1...2 { try client.makeBuffer(id, source.width, source.height) }
    clock.nanosecondsPerRead = 400_000
    for frame: UInt64 in 1...4 {
      try client.present(frame, UInt32(frame % 2 + 1), source: source)
      _ = try runToCommit(bench, clock)
      bench.output.vblank()
      try bench.settle()
    }
    clock.nanosecondsPerRead = 0
    let copied = try client.readStatus().vms.flatMap(\.scanouts).reduce(0) { $0 + $1.copiedBytes }
    #expect(copied == 4 * UInt64(source.width * source.height * 4))
  }

  /// A client with a frame that goes into a commit whose picture is not complete yet.
  private func clientInCommit(_ bench: Bench, _ clock: HandClock) throws -> BenchClient {
    let client = try bench.client()
    let source = Rect(width: Self.size.width, height: Self.size.height)
    try client.makeBuffer(1, source.width, source.height).fill(0x11_1111)
    clock.nanosecondsPerRead = 900_000
    try client.present(1, 1, source: source)
    for _ in 0..<1000 {
      if bench.server?.presenters.first?.views.first?.staged != nil { break }
      guard clock.fireNext(until: .max) else { break }
      try bench.settle()
    }
    #expect(bench.server?.presenters.first?.views.first?.staged != nil)
    #expect(!bench.output.isCommitPending)
    return client
  }

  @Test func `a screen that is blanked while its picture is completed does not show it`() throws {
    let (bench, clock) = try bench(layout: "tile 1x1")
    let client = try clientInCommit(bench, clock)
    try client.send(.disable(scanout: 0))
    #expect(try client.messages().contains(done(1, .superseded)))
    for _ in 0..<100 where !bench.output.isCommitPending {
      guard clock.fireNext(until: .max) else { break }
      try bench.settle()
    }
    bench.output.vblank()
    try bench.settle()
    #expect(try bench.output.shown?.buffer?.mapped().color(0, 0) ?? 0 == 0)
  }

  @Test func `a frame is answered if another VM gets the output while its picture is completed`() throws {
    let (bench, clock) = try bench(layout: "tile 2x1")
    let client = try clientInCommit(bench, clock)
    let other = try bench.client("other")
    try other.makeBuffer(1, 8, 8)
    try bench.server?.apply("[outputs]\npolicy = \"exclusive\"")
    let presenter = try #require(bench.server?.presenters.first)
    presenter.focus(try #require(presenter.views.last))
    var answers: [ServerMessage] = []
    for _ in 0..<100 {
      bench.output.vblank()
      answers += try client.messages()
      if answers.contains(where: { if case .frameDone = $0 { true } else { false } }) { break }
      _ = clock.fireNext(until: .max)
    }
    let outcomes = answers.compactMap { if case .frameDone(let done) = $0 { done.frame } else { nil } }
    #expect(outcomes == [1])
  }

  /// Copies take longer than the time between two vblanks, so that frames are copied ahead of their commit.
  @Test(arguments: ["tile 2x1", "tile 3x1", "tile 2x2"])
  func `no picture shows a part of a frame, although copies take longer than an interval`(layout: String) throws {
    let (bench, clock) = try bench(
      layout: layout, FakeOutput(width: 3840, height: 2160, refreshMillihertz: 360_000))
    var painters: [(client: BenchClient, rect: Rect, colors: [UInt32])] = []
    for index in 0..<(layout == "tile 2x1" ? 2 : layout == "tile 3x1" ? 3 : 4) {
      let client = try bench.client("vm\(index)")
      let mode = try #require(client.outputs[0]?.mode)
      let colors = [UInt32(0x01_0101 * (2 * index + 1)), UInt32(0x01_0101 * (2 * index + 2))]
      for id in 0..<2 { try client.makeBuffer(UInt32(id + 1), mode.width, mode.height).fill(colors[id]) }
      painters.append((client, Rect(width: mode.width, height: mode.height), colors))
    }
    let views = try #require(bench.server?.presenters.first?.views.map(\.rect))
    var (frame, shownFrames) = (UInt64(0), 0)
    var buffers: Set<ObjectIdentifier> = []
    clock.nanosecondsPerRead = 100_000
    for _ in 0..<150 {
      frame += 1
      for painter in painters {
        try painter.client.present(frame, UInt32(frame % 2 + 1), source: painter.rect)
        _ = try painter.client.messages()
      }
      for _ in 0..<8 where !bench.output.isCommitPending {
        guard clock.fireNext(until: .max) else { break }
        try bench.settle()
      }
      guard bench.output.isCommitPending else { continue }
      bench.output.vblank()
      let buffer = try #require(bench.output.shown?.buffer)
      buffers.insert(ObjectIdentifier(buffer))
      let picture = try buffer.mapped()
      for (place, view) in views.enumerated() {
        let color = picture.color(view.x, view.y)
        if painters[place].colors.contains(color) { shownFrames += 1 }
        for row in stride(from: view.y, to: view.maxY, by: 13) {
          #expect(picture.color(view.x + row % view.width, row) == color, "view \(place), row \(row)")
        }
      }
      try bench.settle()
    }
    #expect(shownFrames > 20)
    #expect(buffers.count == 3)
  }
}
