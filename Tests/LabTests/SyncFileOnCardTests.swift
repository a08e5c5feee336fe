import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import StatusModel
import Testing

/// Acquire fences that are the kernel's own sync files. Runs inside the lab's KMS VM, where `KMSHostTests` start it.
@Suite("Sync files on a card", .serialized, .enabled(if: Lab.card != nil))
struct SyncFileOnCardTests {
  @Test func `a frame waits for a driver's sync file, and a fence that is never signalled delays no other client`()
    throws
  {
    let driver = try VGEM()
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let loop = try EventLoop()
    let client = try PresentClient(
      loop: loop, path: host.socket, hello: Hello(kind: .container, name: "gpu", scanoutCount: 1))
    var outcomes: [UInt64: PresentOutcome] = [:]
    client.onEvent = { if case .frameDone(let done) = $0 { outcomes[done.frame] = done.outcome } }
    try client.start()
    try loop.run { client.output(0) != nil }
    let buffers = try (0..<2).map { _ in try makeBuffer(client, output.width, output.height) }
    let source = Rect(width: output.width, height: output.height)

    let (fence, syncFile) = try driver.fence()
    #expect(AnonymousFile(of: syncFile.raw) == .syncFile)
    client.present(
      PresentFrame(
        scanout: 0, frame: 1, bufferID: buffers[0].id, source: source, path: .copy, acquireFence: syncFile))
    // Waits for several refreshes, in which nothing may happen.
    for _ in 0..<10 { try loop.runOnce(timeoutMilliseconds: 100) }
    #expect(outcomes.isEmpty)
    driver.signal(fence)
    try loop.run { outcomes[1] != nil }
    #expect(outcomes[1] == .flipped)

    let (_, never) = try driver.fence()
    client.present(
      PresentFrame(scanout: 0, frame: 2, bufferID: buffers[1].id, source: source, path: .copy, acquireFence: never))
    client.present(PresentFrame(scanout: 0, frame: 3, bufferID: buffers[0].id, source: source, path: .copy))
    try loop.run { outcomes[3] != nil }
    #expect(outcomes == [1: .flipped, 2: .superseded, 3: .flipped])
  }

  private func makeBuffer(_ client: PresentClient, _ width: Int, _ height: Int) throws -> PresentBuffer {
    try patiently { () throws(PresentClientError) in
      try client.createBuffer(scanout: 0, width: width, height: height, format: .xrgb8888)
    }
  }
}

/// The kernel's virtual GEM device: fences that a program signals (`drm/vgem_drm.h`), as sync files.
struct VGEM: ~Copyable {
  private let card: OwnedFD

  init() throws {
    _ = try ChildProcess.run(ChildCommand("/run/lab/bin/modprobe", ["vgem"]), timeoutMilliseconds: 60_000)
    for name in try LinuxFile.list("/dev/dri") where name.hasPrefix("card") {
      let node = try OwnedFD.open("/dev/dri/\(name)", flags: O_RDWR)
      guard let version = drmGetVersion(node.raw) else { continue }
      defer { drmFreeVersion(version) }
      if String(cString: version.pointee.name) == "vgem" {
        card = node
        return
      }
    }
    throw LabError("this kernel has no vgem")
  }

  private struct Attach {
    var handle: UInt32
    var flags: UInt32 = 1
    var fence: UInt32 = 0
    var reserved: UInt32 = 0
  }

  private struct Export {
    var flags: UInt32 = 1
    var fd: Int32 = -1
  }

  /// A fence for writing a new buffer, and its sync file. The kernel signals it by itself after 10 s.
  func fence() throws -> (UInt32, SharedFD) {
    var handle: UInt32 = 0
    var pitch: UInt32 = 0
    var size: UInt64 = 0
    guard drmModeCreateDumbBuffer(card.raw, 64, 64, 32, 0, &handle, &pitch, &size) == 0 else {
      throw SystemError(call: "drmModeCreateDumbBuffer", code: errno)
    }
    var attach = Attach(handle: handle)
    guard drmIoctl(card.raw, 0xC010_6441, &attach) == 0 else {
      throw SystemError(call: "DRM_IOCTL_VGEM_FENCE_ATTACH", code: errno)
    }
    var number: Int32 = -1
    guard drmPrimeHandleToFD(card.raw, handle, UInt32(O_CLOEXEC), &number) == 0 else {
      throw SystemError(call: "drmPrimeHandleToFD", code: errno)
    }
    let memory = OwnedFD(taking: number)
    var export = Export()
    guard drmIoctl(memory.raw, 0xC008_6202, &export) == 0 else {
      throw SystemError(call: "DMA_BUF_IOCTL_EXPORT_SYNC_FILE", code: errno)
    }
    return (attach.fence, SharedFD(OwnedFD(taking: export.fd)))
  }

  func signal(_ fence: UInt32) {
    var words = (fence, UInt32(0))
    _ = drmIoctl(card.raw, 0x4008_6442, &words)
  }
}
