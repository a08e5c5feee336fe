import DaemonSettings
import Glibc
import GraphicsMemory
import LinuxIO
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import Testing

@testable import PresentServer

@Suite("Snapshots cost others nothing")
struct SnapshotTests {
  private let subject = SnapshotSubject.vm(name: "vm", scanout: 0)

  /// Imports a picture from a new memfd whose pages are in reverse order, or in one piece; returns the memfd.
  private func importPicture(
    _ client: BenchClient, _ width: Int, _ height: Int, buffer: UInt32 = 5, pagesReversed: Bool = false
  ) throws -> OwnedFD {
    let layout = try #require(FrameLayout(width: width, height: height, strideBytes: width * 4, format: .xrgb8888))
    let byteCount = try #require(roundedUpToPages(layout.byteCount))
    let memory = try MemFD.create(name: "snapshot-test", byteCount: byteCount)
    let pages = byteCount / pageByteCount
    let entries =
      pagesReversed
      ? (0..<pages).reversed().map {
        ImportRanges.Entry(descriptor: 0, offset: $0 * pageByteCount, byteCount: pageByteCount)
      } : [ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: byteCount)]
    let list = try ImportRanges.list(entries)
    try client.send(
      .importBuffer(
        ImportBuffer(
          bufferID: buffer, scanout: 0, generation: client.generation(), layout: layout, modifier: 0,
          memoryKind: .memfd, rangeCount: entries.count), request: 8), fds: [list.raw, memory.raw])
    guard case .buffer? = try client.messages().last else { throw SystemError(call: "import", code: EINVAL) }
    return memory
  }

  private func replies(_ messages: [ServerMessage]) -> [UInt64] {
    messages.compactMap { if case .snapshotReply(_, let request) = $0 { request } else { nil } }
  }

  private func mappingCount() throws -> Int {
    try LinuxFile.read("/proc/self/maps", limit: 64 << 20).split(separator: 10)
      .count { String(decoding: $0, as: UTF8.self).contains("snapshot-test") }
  }

  @Test func `a large snapshot does not keep a frame from being committed, and takes no pages of a file's holes`()
    throws
  {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let client = try bench.client()
    let memory = try importPicture(client, 8192, 8192)
    try client.present(1, 5, source: Rect(width: 8192, height: 8192))
    bench.outputs[0].vblank()
    _ = try client.messages()
    let other = try bench.client("other")
    try other.makeBuffer(1)
    try client.send(.snapshot(subject, request: 1))
    try bench.loop.runOnce(timeoutMilliseconds: 0)
    try other.send(
      .present(
        Present(
          scanout: 0, generation: other.generation(), frame: 1, bufferID: 1, source: Rect(width: 64, height: 48),
          path: .copy)))
    var rounds = 0
    while bench.outputs[1].commits.isEmpty, rounds < 100 {
      try bench.loop.runOnce(timeoutMilliseconds: 0)
      rounds += 1
    }
    #expect(rounds <= 3)
    #expect(client.snapshot == nil)
    #expect(try replies(client.messages()) == [1])
    #expect(client.snapshot?.layout.height == 8192)
    var status = stat()
    #expect(fstat(memory.raw, &status) == 0)
    #expect(status.st_blocks == 0)
  }

  @Test func `a snapshot of scattered pages has the picture, and leaves no mapping`() throws {
    let bench = try Bench()
    let client = try bench.client()
    // A row ends inside a page, and pages are in reverse order.
    let memory = try importPicture(client, 700, 300, pagesReversed: true)
    let byteCount = try memory.byteCount()
    for y in 0..<300 {
      for x in [0, 1, 350, 699] {
        var pixel = UInt32(y << 12 | x)
        let place = (y * 700 + x) * 4
        let page = byteCount / pageByteCount - 1 - place / pageByteCount
        try #require(pwrite(memory.raw, &pixel, 4, page * pageByteCount + place % pageByteCount) == 4)
      }
    }
    try client.present(1, 5, source: Rect(x: 1, y: 2, width: 699, height: 298))
    bench.output.vblank()
    try client.send(.snapshot(subject, request: 1))
    #expect(try replies(client.messages()) == [1])
    let picture = try #require(client.snapshot)
    for y in 0..<298 {
      for x in [0, 349, 698] { try #require(picture.color(x, y) == UInt32((y + 2) << 12 | x + 1)) }
    }
    #expect(try mappingCount() == 0)
  }

  @Test func `a picture with too many pixels is refused, with the limit`() throws {
    var options = ServerOptions()
    options.limits.snapshotBytes = 64 * 48 * 4
    let bench = try Bench(options: options)
    let client = try bench.client()
    for (width, height) in [(64, 48), (65, 48)] {
      _ = try importPicture(client, width, height, buffer: UInt32(width))
      try client.present(UInt64(width), UInt32(width), source: Rect(width: width, height: height))
      bench.output.vblank()
      _ = try client.messages()
    }
    try client.send(.snapshot(subject, request: 2))
    let text = "the picture has 65x48 pixels; a snapshot may have 12288 bytes, which are 3072 pixels"
    #expect(try client.messages() == [.error(ErrorMessage(code: .refused, text: text), request: 2)])
  }

  @Test func `a client that does not read its snapshots has one, and gets the others as it reads`() throws {
    let bench = try Bench()
    let client = try bench.client()
    for request: UInt64 in 1...50 { try client.send(.snapshot(subject, request: request)) }
    try bench.settle()
    let connection = try #require(client.connectionForFlooding)
    var fds = ReceivedFDs()
    var first: [ServerMessage] = []
    while let message = try connection.receiveServerMessage(fds: &fds) { first.append(message) }
    #expect(replies(first) == [1])
    var rest: [UInt64] = []
    #expect(
      try bench.run {
        rest += replies(try client.messages())
        return rest.count == 49
      })
    #expect(rest == Array(2...50))
    // The next request needs no more than the answer to be read.
    #expect(try client.readStatus().vms.count == 1)
  }

  @Test func `what a client requested before it left is not written`() throws {
    let bench = try Bench()
    let client = try bench.client()
    _ = try importPicture(client, 4096, 4096)
    try client.present(1, 5, source: Rect(width: 4096, height: 4096))
    bench.output.vblank()
    _ = try client.messages()
    let tool = try bench.tool()
    for request: UInt64 in 1...100 { try tool.send(.snapshot(subject, request: request)) }
    tool.leave()
    // One iteration reads the first requests, one more notices the end.
    for _ in 0..<3 { try bench.loop.runOnce(timeoutMilliseconds: 0) }
    #expect(bench.server?.sessions.count == 1)
    #expect(bench.server?.memory.usedBytes == 0)
  }

  @Test func `a snapshot's bytes are charged until the client's next request`() throws {
    let bench = try Bench()
    try bench.server?.apply("[memory]\ncapacity = \"1M\"\noverhead = \"0\"\nmax-per-vm = \"100K\"")
    let client = try bench.client()
    try client.makeBuffer(1)
    try client.present(1, 1)
    bench.output.vblank()
    _ = try client.messages()
    let tool = try bench.tool()
    let memory = try #require(bench.server?.memory)
    #expect(memory.usedBytes == 64 * 48 * 4)
    for request: UInt64 in 1...3 {
      try tool.send(.snapshot(subject, request: request))
      #expect(try replies(tool.messages()) == [request])
      #expect(memory.usedBytes == 2 * 64 * 48 * 4)
    }
    // It counts against the VM's own limit if the VM asks: 12288 bytes a buffer or snapshot.
    for id: UInt32 in 2...8 { try client.makeBuffer(id) }
    try client.send(.snapshot(subject, request: 9))
    guard case .error(let error, request: 9)? = try client.messages().last else {
      Issue.record("not refused")
      return
    }
    #expect(error.text.contains("would exceed the limit of 102400 bytes"))
    tool.leave()
    #expect(try bench.run { memory.usedBytes == 8 * 64 * 48 * 4 })
  }

  @Test func `a frame that is left during its snapshot is released afterwards`() throws {
    let bench = try Bench()
    let client = try bench.client()
    _ = try importPicture(client, 4096, 4096)
    try client.makeBuffer(6)
    try client.present(1, 5, source: Rect(width: 4096, height: 4096))
    bench.output.vblank()
    _ = try client.messages()
    let tool = try bench.tool()
    try tool.send(.snapshot(subject, request: 1))
    try bench.loop.runOnce(timeoutMilliseconds: 0)
    try client.send(
      .present(
        Present(
          scanout: 0, generation: client.generation(), frame: 2, bufferID: 6, source: Rect(width: 64, height: 48),
          path: .copy)))
    try bench.loop.runOnce(timeoutMilliseconds: 0)
    try bench.loop.runOnce(timeoutMilliseconds: 0)
    bench.output.vblank()
    #expect(try client.messages() == [done(2, .flipped, 102), released(5, 1)])
    #expect(try replies(tool.messages()) == [1])
    #expect(tool.snapshot?.layout.width == 4096)
  }
}
