import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import StatusModel
import Testing

/// A client's own pages on a real DRM driver. Runs inside the lab's KMS VM, where `KMSHostTests` start it.
@Suite("Direct on a card", .serialized, .enabled(if: Lab.card != nil))
struct DirectOnCardTests {
  @Test func `scattered pages of a memfd are shown without a copy, or refused with the reason`()
    throws
  {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let client = try DirectClient(host: host)
    let picture = Picture.noise(width: output.width, height: output.height, seed: 21)
    do {
      for frame in UInt64(1)...30 {
        try client.show(.solid(Picture.frameColour(UInt32(frame)), width: output.width, height: output.height))
      }
      try client.show(picture)
    } catch let error as PresentClientError {
      // Drivers with their own video memory do not show other memory.
      print("lab: refused: \(error)")
      #expect(!error.description.isEmpty)
      return
    }
    try host.expect(output: output.name, shows: picture)
    try host.expect(vm: "scattered", shows: picture)
    let scanout = try host.status().scanout(vm: "scattered")
    print("lab: \(output.width)x\(output.height), \(scanout.framesFlipped) flips, \(scanout.copiedBytes) bytes copied")
    #expect(scanout.framesFlipped == 31)
    #expect(scanout.path == .direct)
    #expect(scanout.cpuCopies == 0)
    #expect(scanout.copiedBytes == 0)
  }

  @Test func `more ranges than udmabuf's list takes are refused with both numbers`() throws {
    let limit = "/sys/module/udmabuf/parameters/list_limit"
    guard try ChildProcess.run(ChildCommand("sh", ["-c", "echo 8 >\(limit)"])).exit.isSuccess else { return }
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let client = try DirectClient(host: host)
    var refusal = ""
    do {
      try client.show(.solid(1, width: output.width, height: output.height))
    } catch let error as PresentClientError {
      refusal = error.description
    }
    _ = try ChildProcess.run(ChildCommand("sh", ["-c", "echo 1024 >\(limit)"]))
    print("lab: refused: \(refusal)")
    #expect(refusal.contains("list_limit of 8") || refusal.contains("cannot import"))
  }
}

/// A client that draws into two pictures of its own memory, whose pages alternate in one memfd, and shows them in turn.
private final class DirectClient {
  private let loop: EventLoop
  private let client: PresentClient
  private var buffers: [(id: UInt32, slot: Int)] = []
  private var mapping: Mapping?
  private var frame: UInt64 = 0
  private var lastFlipped: UInt64 = 0
  private let chunkBytes = 16 * MemoryRange.pageBytes

  init(host: LabHost) throws {
    loop = try EventLoop()
    client = try PresentClient(
      loop: loop, path: host.socket, hello: Hello(kind: .container, name: "scattered", scanoutCount: 1))
    client.onEvent = { [unowned self] event in
      if case .frameDone(let done) = event, done.outcome == .flipped { lastFlipped = done.frame }
    }
    try client.start()
    try loop.run { client.output(0) != nil }
    client.setPath(scanout: 0, path: .direct, reason: "")
  }

  /// Draws into the picture that is not on screen, and waits until it is.
  func show(_ picture: Picture) throws {
    let rowBytes = picture.width * 4
    let chunks = (rowBytes * picture.height + chunkBytes - 1) / chunkBytes
    if mapping == nil { try makeMemory(picture, chunks) }
    frame += 1
    let buffer = buffers[Int(frame % 2)]
    guard let memory = mapping?.base else { return }
    picture.pixels.withUnsafeBytes { pixels in
      for chunk in 0..<chunks {
        let from = chunk * chunkBytes
        let part = UnsafeRawBufferPointer(rebasing: pixels[from..<min(from + chunkBytes, pixels.count)])
        guard let base = part.baseAddress else { continue }
        (memory + offset(chunk, buffer.slot)).copyMemory(from: base, byteCount: part.count)
      }
    }
    client.present(
      PresentFrame(
        scanout: 0, frame: frame, bufferID: buffer.id, source: Rect(width: picture.width, height: picture.height),
        path: .direct))
    try loop.run { lastFlipped >= frame }
  }

  /// Chunks of both pictures in turn: no two of one picture are neighbours.
  private func offset(_ chunk: Int, _ slot: Int) -> Int { (chunk * 2 + slot) * chunkBytes }

  private func makeMemory(_ picture: Picture, _ chunks: Int) throws {
    let byteCount = 2 * chunks * chunkBytes
    let fd = try MemFD.create(name: "guest", byteCount: byteCount)
    let layout = try #require(
      FrameLayout(
        width: picture.width, height: picture.height, strideBytes: picture.width * 4, format: .xrgb8888))
    for slot in 0..<2 {
      let ranges = (0..<chunks).map { MemoryRange(fd: fd.raw, offset: offset($0, slot), byteCount: chunkBytes) }
      buffers.append((try importPages(layout, ranges), slot))
    }
    mapping = try Mapping(fd: fd.raw, byteCount: byteCount)
  }

  /// An emulated daemon may take longer than a client waits.
  private func importPages(_ layout: FrameLayout, _ ranges: [MemoryRange]) throws -> UInt32 {
    for _ in 0..<20 {
      do throws(PresentClientError) {
        return try client.importBuffer(scanout: 0, layout: layout, pages: .memfd(ranges))
      } catch {
        guard case .timedOut = error else { throw error }
        print("lab: no answer to an import in time")
      }
    }
    throw LabError("no answer to an import")
  }
}
