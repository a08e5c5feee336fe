import Glibc
import GraphicsMemory
import HybridRegion
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import TestSupport
import Testing

/// A client's pages that cannot be mapped.
private final class UnmappableBuffer: ScanoutBuffer {
  let layout: FrameLayout
  let memoryKind = MemoryKind.memfd
  var byteCount: Int { layout.byteCount }

  init(_ layout: FrameLayout) { self.layout = layout }

  func mapped() throws(OutputError) -> MappedBuffer {
    throw .system(SystemError(call: "mmap", code: ENOMEM, subject: "\(byteCount) bytes"))
  }
  func descriptor() throws(OutputError) -> OwnedFD { throw .rejected("no descriptor") }
}

/// A client's pages in a file that can be truncated.
private final class ShrinkingBuffer: ScanoutBuffer {
  let layout: FrameLayout
  let memoryKind = MemoryKind.memfd
  let file: SharedFD
  private let mapping: MappedBuffer
  var byteCount: Int { layout.byteCount }
  var isSpoilt: Bool { mapping.isSpoilt }

  init(_ layout: FrameLayout) throws(OutputError) {
    self.layout = layout
    do throws(SystemError) {
      file = SharedFD(try MemFD.createEmpty(name: "shrinking"))
      let raw = file.raw
      try check("ftruncate") { ftruncate(raw, layout.byteCount) }
      mapping = try MappedBuffer(fd: file, kind: .memfd, layout: layout, byteCount: layout.byteCount)
    } catch {
      throw .system(error)
    }
    mapping.fill(0x33_0000)
  }

  func mapped() throws(OutputError) -> MappedBuffer { mapping }
  func descriptor() throws(OutputError) -> OwnedFD { throw .rejected("no descriptor") }
}

/// A client's pages that are copied for each reader.
private final class GatheringBuffer: ScanoutBuffer {
  let layout: FrameLayout
  let memoryKind = MemoryKind.memfd
  private let mapping: MappedBuffer
  private(set) var gatheredBytes: UInt64 = 0
  var byteCount: Int { layout.byteCount }

  init(_ layout: FrameLayout) throws(OutputError) {
    self.layout = layout
    do throws(SystemError) {
      let file = SharedFD(try MemFD.create(name: "gathered", byteCount: layout.byteCount))
      mapping = try MappedBuffer(fd: file, kind: .memfd, layout: layout, byteCount: layout.byteCount)
    } catch {
      throw .system(error)
    }
  }

  func mapped() throws(OutputError) -> MappedBuffer { mapping }
  func refresh(_ rect: Rect) { gatheredBytes += UInt64(rect.width * rect.height * 4) }
  func descriptor() throws(OutputError) -> OwnedFD { throw .rejected("no descriptor") }
}

/// Memory of one client that cannot be read costs that client only.
@Suite("Missing memory of a client")
struct MissingMemoryTests {
  private let source = Rect(width: 64, height: 48)
  private let view = Rect(width: 32, height: 48)

  private func importPages(
    _ client: BenchClient, _ memory: SharedFD? = nil, _ ranges: [(offset: Int, byteCount: Int)] = [(0, 12288)]
  ) throws {
    let memory = try memory ?? SharedFD(MemFD.create(name: "guest", byteCount: 12288))
    let list = try ImportRanges.list(
      ranges.map { ImportRanges.Entry(descriptor: 0, offset: $0.offset, byteCount: $0.byteCount) })
    let layout = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    try client.send(
      .importBuffer(
        ImportBuffer(
          bufferID: 5, scanout: 0, generation: client.generation(), layout: layout, modifier: 0, memoryKind: .memfd,
          rangeCount: ranges.count), request: 8), fds: [list.raw, memory.raw])
    guard case .buffer? = try client.messages().last else {
      Issue.record("the import was refused")
      return
    }
  }

  private func outcomes(_ messages: [ServerMessage]) -> [PresentOutcome] {
    messages.compactMap { if case .frameDone(let done) = $0 { done.outcome } else { nil } }
  }

  private func errors(_ messages: [ServerMessage]) -> [String] {
    messages.compactMap { if case .error(let error, _) = $0 { error.text } else { nil } }
  }

  /// The outcomes of a client's frames after vblanks, once there is one.
  private func outcomes(_ client: BenchClient, _ bench: Bench) throws -> [PresentOutcome] {
    var seen: [PresentOutcome] = []
    _ = try bench.run {
      for output in bench.outputs { output.vblank() }
      seen += outcomes(try client.messages())
      return !seen.isEmpty
    }
    return seen
  }

  @Test func `a frame that cannot be mapped is rejected in words, and the other tiles are shown`() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let (good, bad) = (try bench.client("good"), try bench.client("bad"))
    try good.makeBuffer(1).fill(0x00_4400)
    bench.output.imports = { UnmappableBuffer($0) }
    try importPages(bad)
    for frame: UInt64 in 1...3 {
      try bad.present(frame, 5, source: view, path: .direct)
      try good.present(frame, 1, source: view)
      #expect(try outcomes(good, bench) == [.flipped])
      let told = try bad.messages()
      #expect(outcomes(told) == [.rejected])
      let words = "fake-0 cannot read a frame: mmap 12288 bytes: Cannot allocate memory (errno 12)"
      #expect(errors(told) == (frame == 1 ? [words] : []))
    }
    #expect(try bench.output.shown?.buffer?.mapped().color(3, 3) == 0x00_4400)
    #expect(!good.isEnded && !bad.isEnded)
    let status = try good.readStatus().vms.first { $0.name == "bad" }
    #expect(status?.scanouts.first?.framesFlipped == 0 && status?.scanouts.first?.framesRejected == 3)
  }

  @Test(arguments: [true, false])
  func `only damage is copied to read a client's pages, and counted besides the composed bytes`(isTiled: Bool) throws {
    let bench = try Bench([FakeOutput(fit: isTiled ? nil : .compose("no mode"))])
    if isTiled { try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"") }
    let client = try bench.client("web")
    bench.output.imports = { (layout) throws(OutputError) in try GatheringBuffer(layout) }
    try importPages(client)
    let picture = isTiled ? view : source
    let small = Rect(x: 3, y: 5, width: 8, height: 4)
    var counted: [UInt64] = []
    for frame: UInt64 in 1...5 {
      let damage = frame < 3 ? Damage.full : Damage(small)
      try client.present(frame, 5, source: picture, damage: damage, path: .direct)
      #expect(try outcomes(client, bench) == [.flipped])
      counted.append(try #require(client.readStatus().vms.first?.scanouts.first?.copiedBytes))
    }
    // Each byte is copied twice. The third frame's buffer lacks the second frame, too.
    let whole = UInt64(2 * picture.width * picture.height * 4)
    let part = UInt64(2 * small.width * small.height * 4)
    #expect(counted == [whole, 2 * whole, 3 * whole, 3 * whole + part, 3 * whole + 2 * part])
  }

  @Test func `a picture that was scanned out and cannot be mapped becomes black beside other tiles`() throws {
    let bench = try Bench()
    let bad = try bench.client("bad")
    bench.output.imports = { UnmappableBuffer($0) }
    try importPages(bad)
    try bad.present(1, 5, source: source, path: .direct)
    #expect(try outcomes(bad, bench) == [.flipped])
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let good = try bench.client("good")
    try good.makeBuffer(1).fill(0x00_4400)
    for frame: UInt64 in 1...2 {
      try good.present(frame, 1, source: view)
      #expect(try outcomes(good, bench) == [.flipped])
    }
    #expect(!bad.isEnded && !good.isEnded)
  }

  @Test(arguments: [true, false])
  func `a client whose memory goes away while it is copied is dropped with a reason, and the others go on`(
    isTiled: Bool
  ) throws {
    let bench = try Bench([FakeOutput(fit: isTiled ? nil : .compose("no mode")), FakeOutput("fake-1")])
    if isTiled { try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"") }
    let bad = try bench.client("bad")
    let good = try bench.client("good", outputs: [isTiled ? "fake-0" : "fake-1"])
    try good.makeBuffer(1).fill(0x00_4400)
    var made: ShrinkingBuffer?
    bench.output.imports = { (layout) throws(OutputError) in
      let buffer = try ShrinkingBuffer(layout)
      made = buffer
      return buffer
    }
    try importPages(bad)
    try bad.present(1, 5, source: source, path: .direct)
    #expect(try outcomes(bad, bench) == [.flipped])
    #expect(try bench.output.shown?.buffer?.mapped().color(9, 9) == 0x33_0000)

    let file = try #require(made?.file.raw)
    #expect(ftruncate(file, 0) == 0)
    try bad.present(2, 5, source: source, path: .direct)
    let told = try bad.messages()
    #expect(
      errors(told) == [
        "shared memory was missing when it was read: it has been discarded, and the host has no free page for it"
      ])
    #expect(try bad.ends())
    #expect(bench.lines.contains { $0.hasPrefix("bad (") && $0.contains("shared memory was missing") })
    try good.present(1, 1, source: isTiled ? view : source)
    #expect(try outcomes(good, bench) == [.flipped])
    #expect(!good.isEnded)
  }

  // MARK: - Huge pages

  @Test(
    .enabled(if: HugePages.areThere, "this machine gives no huge pages"),
    arguments: [[(offset: 0x1F_F000, byteCount: 0x3000)], [(0x1F_F000, 0x1000), (0, 0x1000), (0x5000, 0x1000)]])
  func `pages inside huge pages are tiled and captured, and cost their client when they are discarded`(
    ranges: [(offset: Int, byteCount: Int)]
  ) throws {
    let huge = try HugePages(4)
    defer { withExtendedLifetime(huge) {} }
    let memory = try huge.makeMemory(count: 2)
    let drawing = try Mapping(fd: memory.raw, byteCount: 2 * HugePages.byteCount)
    for range in ranges {
      for byte in stride(from: 0, to: range.byteCount, by: 4) {
        drawing.bytes.storeBytes(of: 0x11_2233, toByteOffset: range.offset + byte, as: UInt32.self)
      }
    }
    let bench = try Bench(headless: [DisplayMode(width: 64, height: 48, refreshMillihertz: 60_000)])
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let (good, bad) = (try bench.client("good"), try bench.client("bad"))
    try good.makeBuffer(1).fill(0x00_4400)
    try importPages(bad, memory, ranges)
    try bad.present(1, 5, source: view, path: .direct)
    try good.present(1, 1, source: view)
    #expect(try outcomes(bad, bench) == [.flipped])
    let tool = try bench.tool()
    for subject in [SnapshotSubject.vm(name: "bad", scanout: 0), .output(name: "headless-0")] {
      try tool.send(.snapshot(subject, request: 9))
      _ = try tool.messages()
      for (x, y) in [(0, 0), (31, 47), (16, 24)] {
        #expect(tool.snapshot?.color(subject == .output(name: "headless-0") ? x + 32 : x, y) == 0x11_2233)
      }
    }

    try huge.discard(0, of: memory)
    let rest = try huge.takeAll()
    try bad.present(2, 5, source: view, path: .direct)
    #expect(try bad.ends())
    #expect(bench.lines.contains { $0.contains("shared memory was missing") })
    #expect(try rest.byteCount() > 0)
    try good.present(2, 1, source: view)
    #expect(try outcomes(good, bench).contains(.flipped))
  }

  @Test(.enabled(if: HugePages.areThere, "this machine gives no huge pages"))
  func `a region on a huge page works, keeps no page after its end, and costs its client when it is discarded`() throws
  {
    let huge = try HugePages(4)
    defer { withExtendedLifetime(huge) {} }
    let bench = try Bench()
    let good = try bench.client("good")
    let layout = try #require(RegionLayout(regionByteCount: HugePages.byteCount, slotCount: 3))
    for _ in 0..<3 {
      let memory = try huge.makeMemory(count: 1)
      let doorbell = try EventFD()
      let client = try bench.client("box")
      try client.send(
        .region(
          AttachRegion(
            scanout: 0, regionByteCount: UInt64(layout.regionByteCount), slotCount: 3, sharesClock: true,
            hasGuestDoorbell: false)), fds: [memory.raw, doorbell.fd.raw])
      #expect(try client.messages() == [.regionNews(scanout: 0)])
      try huge.discard(0, of: memory)
      let rest = try huge.takeAll()
      doorbell.signal()
      #expect(try client.ends())
      #expect(try rest.byteCount() > 0)
    }
    #expect(bench.lines.count { $0.contains("shared memory was missing") } == 3)
    #expect(try bench.run { HugePages.freeCount >= 4 })
    _ = try good.readStatus()
    #expect(!good.isEnded)
  }
}
