import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import Testing

@Suite("A client's own memory")
struct ImportTests {
  private func importPages(
    _ client: BenchClient, sealed: Bool = true, pages: Int = 3
  ) throws -> [ServerMessage] {
    let entries = (0..<pages).map {
      ImportRanges.Entry(descriptor: 0, offset: $0 * pageByteCount, byteCount: pageByteCount)
    }
    let list = try ImportRanges.list(entries)
    let memory =
      sealed ? try MemFD.create(name: "guest", byteCount: 3 * pageByteCount) : try OwnedFD.open("/dev/zero", flags: 0)
    let layout = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    try client.send(
      .importBuffer(
        ImportBuffer(
          bufferID: 5, scanout: 0, generation: client.generation(), layout: layout, modifier: 0, memoryKind: .memfd,
          rangeCount: entries.count), request: 8), fds: [list.raw, memory.raw])
    return try client.messages()
  }

  @Test func `a client's own memory is imported, shown and not charged`() throws {
    let bench = try Bench()
    let client = try bench.client()
    let reply = BufferReply(
      bufferID: 5, memoryKind: .memfd, width: 64, height: 48, strideBytes: 256, byteCount: 0)
    #expect(try importPages(client) == [.buffer(reply, request: 8)])
    try client.present(1, 5, path: .direct)
    bench.output.vblank()
    #expect(try client.messages() == [done(1, .flipped, 101)])
    try client.send(.status(request: 1))
    _ = try client.messages()
    #expect(client.status.contains(#""bufferBytes":0"#))
  }

  @Test func `memory that can shrink, is too small or cannot be shown is refused`() throws {
    let bench = try Bench()
    let client = try bench.client()
    func refusal(_ messages: [ServerMessage]) -> String? {
      guard case .error(let error, request: 8)? = messages.last, error.code == .refused else { return nil }
      return error.text
    }
    #expect(refusal(try importPages(client, sealed: false)) == "the memfd of range 0 lacks F_SEAL_SHRINK")
    #expect(refusal(try importPages(client, pages: 2))?.contains("the picture needs") == true)
    bench.output.importRefusal = .rejected("no /dev/udmabuf")
    #expect(refusal(try importPages(client)) == "no /dev/udmabuf")
    bench.output.importRefusal = nil
    bench.output.importedFit = .compose("pitch 256 not accepted")
    #expect(refusal(try importPages(client)) == "pitch 256 not accepted", "one copy is better than composing")
    #expect(!client.isEnded)
  }

  @Test func `imports are served as often as frames are shown, and a flood of them delays only its client`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let (good, hasty) = (try bench.client("good"), try bench.client("hasty"))
    try good.makeBuffer(1)
    let list = try ImportRanges.list([ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: 3 * pageByteCount)])
    let memory = try MemFD.create(name: "guest", byteCount: 3 * pageByteCount)
    let layout = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    let connection = try #require(hasty.connectionForFlooding)
    var answers = 0
    for id in UInt32(100)..<200 {
      let message = ClientMessage.importBuffer(
        ImportBuffer(
          bufferID: id, scanout: 0, generation: hasty.generation(), layout: layout, modifier: 0, memoryKind: .memfd,
          rangeCount: 1), request: UInt64(id))
      while try !connection.send(message, fds: [list.raw, memory.raw]) { answers += try hasty.messages().count }
    }
    try good.present(1, 1)
    bench.output.vblank()
    #expect(try good.messages() == [done(1, .flipped, 101)])
    let all = try bench.run {
      answers += try hasty.messages().count
      return answers == 100
    }
    #expect(all, "\(answers) of 100 answered")
  }

  @Test
  func `a file that is not a dma-buf is refused without reading its size`()
    throws
  {
    let bench = try Bench()
    let client = try bench.client()
    let layout = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    let memory = try MemFD.create(name: "guest", byteCount: 3 * pageByteCount)
    try client.send(
      .importBuffer(
        ImportBuffer(
          bufferID: 5, scanout: 0, generation: client.generation(), layout: layout, modifier: 0, memoryKind: .dmaBuf,
          rangeCount: 0), request: 8), fds: [memory.raw])
    guard case .error(let error, request: 8)? = try client.messages().last else {
      Issue.record("it was taken")
      return
    }
    #expect(error.code == .refused && error.text == "the descriptor is not a dma-buf")
  }

  @Test func `memory is imported if a host buffer would also be composed`() throws {
    let bench = try Bench([FakeOutput(fit: .compose("no mode of 64x48"))])
    let client = try bench.client()
    guard case .buffer? = try importPages(client).last else {
      Issue.record("composing from the client's memory saves the copy into a host buffer")
      return
    }
    try client.present(1, 5, path: .direct)
    #expect(bench.output.commits.count == 1)
  }
}
