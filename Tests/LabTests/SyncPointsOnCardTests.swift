import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import StatusModel
import Testing

/// Points of timelines that are the kernel's own objects. Runs inside the lab's KMS VM, where `KMSHostTests` start it.
@Suite("Timelines on a card", .serialized, .enabled(if: Lab.card != nil))
struct SyncPointsOnCardTests {
  @Test
  func `a frame waits for its acquire point, and its release point is signalled when its buffer has left the screen`()
    throws
  {
    let node = try RenderNode()
    let drawn = try node.makeTimeline()
    let released = try node.makeTimeline()
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card))"])
    let output = try #require(try host.status().outputs.first)
    let loop = try EventLoop()
    let client = try PresentClient(
      loop: loop, path: host.socket, hello: Hello(kind: .container, name: "gpu", scanoutCount: 1))
    var outcomes: [UInt64: PresentOutcome] = [:]
    var errors: [String] = []
    client.onEvent = { event in
      if case .frameDone(let done) = event { outcomes[done.frame] = done.outcome }
      if case .error(let error) = event { errors.append(error.text) }
    }
    try client.start()
    try loop.run { client.output(0) != nil }
    let buffers = try (0..<3).map { _ in try makeBuffer(client, output.width, output.height) }
    func present(_ frame: UInt64, _ buffer: Int, acquire: UInt64, release: UInt64) {
      client.present(
        PresentFrame(
          scanout: 0, frame: frame, bufferID: buffers[buffer].id,
          source: Rect(width: output.width, height: output.height), path: .copy,
          acquirePoint: TimelinePoint(timeline: drawn.descriptor, point: acquire),
          releasePoint: TimelinePoint(timeline: released.descriptor, point: release)))
    }

    present(1, 0, acquire: 1, release: 1)
    // Waits for several refreshes, in which nothing may happen.
    for _ in 0..<10 { try loop.runOnce(timeoutMilliseconds: 100) }
    #expect(outcomes.isEmpty && errors.isEmpty)
    drawn.signal(1)
    try loop.run { outcomes[1] != nil }
    #expect(outcomes[1] == .flipped)
    #expect(released.reached == 0, "it is on screen")

    drawn.signal(2)
    present(2, 1, acquire: 2, release: 2)
    try loop.run { outcomes[2] != nil }
    try loop.run { released.reached == 1 }

    // A frame whose point is never signalled is superseded by the next one, and its release point is signalled.
    let other = try node.makeTimeline()
    client.present(
      PresentFrame(
        scanout: 0, frame: 3, bufferID: buffers[2].id, source: Rect(width: output.width, height: output.height),
        path: .copy, acquirePoint: TimelinePoint(timeline: drawn.descriptor, point: 99),
        releasePoint: TimelinePoint(timeline: other.descriptor, point: 7)))
    present(4, 0, acquire: 2, release: 3)
    try loop.run { outcomes[4] != nil }
    #expect(outcomes == [1: .flipped, 2: .flipped, 3: .superseded, 4: .flipped])
    try loop.run { other.reached == 7 && released.reached == 2 }

    // Disconnecting does not wait for anything.
    client.stop()
    try loop.run { released.reached == 3 }
    #expect(errors.isEmpty)
  }

  private func makeBuffer(_ client: PresentClient, _ width: Int, _ height: Int) throws -> PresentBuffer {
    try patiently { () throws(PresentClientError) in
      try client.createBuffer(scanout: 0, width: width, height: height, format: .xrgb8888)
    }
  }
}

/// The client's own render node.
private final class RenderNode {
  let node: OwnedFD

  init() throws {
    for name in try LinuxFile.list("/dev/dri") where name.hasPrefix("renderD") {
      let opened = try OwnedFD.open("/dev/dri/\(name)", flags: O_RDWR)
      var value: UInt64 = 0
      if drmGetCap(opened.raw, UInt64(DRM_CAP_SYNCOBJ_TIMELINE), &value) == 0, value != 0 {
        node = opened
        return
      }
    }
    throw LabError("no render node of this machine has timelines")
  }

  func makeTimeline() throws -> Timeline { try Timeline(self) }
}

/// A timeline, from its owner's side.
private final class Timeline {
  let descriptor: SharedFD
  private let owner: RenderNode
  private var handle: UInt32 = 0

  init(_ owner: RenderNode) throws {
    self.owner = owner
    var made: UInt32 = 0
    var fd: Int32 = -1
    guard drmSyncobjCreate(owner.node.raw, 0, &made) == 0, drmSyncobjHandleToFD(owner.node.raw, made, &fd) == 0 else {
      throw SystemError(call: "drmSyncobjCreate", code: errno)
    }
    handle = made
    descriptor = SharedFD(OwnedFD(taking: fd))
  }

  func signal(_ point: UInt64) {
    var value = point
    _ = drmSyncobjTimelineSignal(owner.node.raw, &handle, &value, 1)
  }

  /// The last point that was signalled.
  var reached: UInt64 {
    var value: UInt64 = 0
    return drmSyncobjQuery(owner.node.raw, &handle, &value, 1) == 0 ? value : 0
  }
}
