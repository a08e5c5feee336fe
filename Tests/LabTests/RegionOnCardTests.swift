import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import StatusModel
import Testing

/// Region slots and dma-bufs on a real DRM driver. Runs inside the lab's KMS VM, where `KMSHostTests` start it.
@Suite("Region on a card", .serialized, .enabled(if: Lab.card != nil))
struct RegionOnCardTests {
  @Test func `a region's slots are scanned out directly: the card writes back the same picture`() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let socket = "\(host.folder)/region.sock"
    var command = ChildCommand(
      Lab.program("framepath-ivshmem"),
      ["--vm", "box", "--socket-path", socket, "--size", "64M", "--containers", "--daemon", host.socket])
    command.error = .file("\(host.folder)/region.log")
    let backend = try ChildProcess(command)
    try LabHost.wait(for: socket, seconds: 60)
    let client = try ChildProcess(
      ChildCommand(Lab.program("framepath-guest"), ["pattern", "--socket", socket, "--frames", "60", "--hold", "300"]))
    let figures = try #require(client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 120_000))
    print("lab: region on a card: \(figures)")
    #expect(figures.contains("frames=60 flipped=60 superseded=0 failed=0 refused=0"))
    try host.expect(
      output: output.name, shows: .regionPattern(width: output.width, height: output.height, frame: 60))
    let scanout = try host.status().scanout(vm: "box")
    #expect(scanout.path == .direct)
    #expect(scanout.cpuCopies == 0)
    #expect(scanout.copiedBytes == 0)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a client's dma-buf with the linear modifier is shown; one with an unsupported modifier is refused`()
    throws
  {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let layout = try #require(
      FrameLayout(width: output.width, height: output.height, strideBytes: output.width * 4, format: .xrgb8888))
    let byteCount = try #require(roundedUpToPages(layout.byteCount))
    let memory = try MemFD.create(name: "client", byteCount: byteCount)
    let picture = Picture.noise(width: output.width, height: output.height, seed: 33)
    let mapping = try Mapping(fd: memory.raw, byteCount: byteCount)
    for (index, pixel) in picture.pixels.enumerated() {
      mapping.base.storeBytes(of: pixel, toByteOffset: index * 4, as: UInt32.self)
    }
    let dmaBuf = try UDMABuf().create([MemoryRange(fd: memory.raw, offset: 0, byteCount: byteCount)])

    let loop = try EventLoop()
    let client = try PresentClient(
      loop: loop, path: host.socket, hello: Hello(kind: .container, name: "gpu", scanoutCount: 1))
    var isFlipped = false
    client.onEvent = { if case .frameDone(let done) = $0, done.outcome == .flipped { isFlipped = true } }
    try client.start()
    try loop.run { client.output(0) != nil }

    let tiledX: UInt64 = 0x0100_0000_0000_0001
    do {
      _ = try importBuffer(client, layout, tiledX, dmaBuf.raw)
      Issue.record("a tiled buffer was taken")
    } catch let error as PresentClientError {
      print("lab: refused: \(error)")
      #expect(error.description.contains("modifier 0x100000000000001"))
    }
    let buffer = try importBuffer(client, layout, 0, dmaBuf.raw)
    client.present(PresentFrame(scanout: 0, frame: 1, bufferID: buffer, source: layout.bounds, path: .direct))
    try loop.run { isFlipped }
    try host.expect(output: output.name, shows: picture)
    #expect(try host.status().scanout(vm: "gpu").copiedBytes == 0)
  }

  private func importBuffer(
    _ client: PresentClient, _ layout: FrameLayout, _ modifier: UInt64, _ fd: Int32
  ) throws -> UInt32 {
    try patiently { () throws(PresentClientError) in
      try client.importBuffer(scanout: 0, layout: layout, modifier: modifier, pages: .dmaBuf(fd))
    }
  }
}
