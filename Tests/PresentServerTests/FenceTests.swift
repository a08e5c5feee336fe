import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import Testing

@testable import PresentServer

/// An eventfd plays the sync file here: both are readable once they are signalled.
@Suite("A frame with an acquire fence")
struct FenceTests {
  private func present(
    _ client: BenchClient, _ frame: UInt64, _ id: UInt32, _ fence: borrowing EventFD,
    damage: Damage = .full
  ) throws {
    try client.send(
      .present(
        Present(
          scanout: 0, generation: client.generation(), frame: frame, bufferID: id,
          source: Rect(width: 64, height: 48), damage: damage, path: .direct, hasAcquireFence: true)),
      fds: [fence.fd.raw])
  }

  private func stage() throws -> (Bench, BenchClient) {
    let bench = try Bench()
    let client = try bench.client()
    for id in 1...4 { try client.makeBuffer(UInt32(id)) }
    return (bench, client)
  }

  @Test func `a frame is committed once its fence is signalled, and not before`() throws {
    let (bench, client) = try stage()
    let fence = try EventFD()
    try present(client, 1, 1, fence)
    #expect(try client.messages().isEmpty)
    #expect(bench.output.commits.isEmpty)
    fence.signal()
    #expect(try client.messages().isEmpty)
    #expect(bench.output.commits.count == 1)
    bench.output.vblank()
    #expect(try client.messages() == [done(1, .flipped, 101)])
  }

  @Test
  func
    `timeline points are refused if the host has no timelines or an object is not one, and the frame is not shown`()
    throws
  {
    let (bench, client) = try stage()
    let event = try EventFD()
    try client.send(
      .syncPoints(SyncPoints(scanout: 0, acquirePoint: 1, releasePoint: 2), request: 9),
      fds: [event.fd.raw, event.fd.raw])
    guard case .error(let error, request: 9)? = try client.messages().last else {
      Issue.record("no error")
      return
    }
    #expect(error.code == .refused && error.text.contains("synchronisation object"))
    try client.present(1, 1)
    #expect(try client.messages() == [done(1, .rejected)])
    #expect(bench.output.commits.isEmpty)
    // The next one has nothing to do with it.
    try client.present(2, 2)
    #expect(bench.output.commits.count == 1)
    try client.send(.syncPoints(SyncPoints(scanout: 0, acquirePoint: 1, releasePoint: nil), request: 9))
    _ = try client.messages()
    #expect(try client.ends())
  }

  @Test func `a frame whose fence is already signalled is committed at once`() throws {
    let (bench, client) = try stage()
    let fence = try EventFD()
    fence.signal()
    try present(client, 1, 1, fence)
    try bench.settle()
    #expect(bench.output.commits.count == 1)
  }

  @Test func `a dma-buf is neither shown nor read while a driver writes it, also after the frame's own fence`() throws {
    let (bench, client) = try stage()
    // An event in the place of the dma-buf: it is readable when it is signalled, as a dma-buf is.
    let driver = try EventFD()
    let buffers = try #require(bench.server?.sessions.first?.surfaces.first).buffers
    try #require(buffers[BufferID(wire: 1)]).dmaBuf = SharedFD(try driver.fd.duplicate())
    let fence = try EventFD()
    try present(client, 1, 1, fence)
    try client.present(2, 1)
    #expect(bench.output.commits.isEmpty)
    fence.signal()
    try bench.settle()
    #expect(bench.output.commits.isEmpty)
    driver.signal()
    try bench.settle()
    #expect(bench.output.commits.count == 1)
    bench.output.vblank()
    bench.output.vblank()
    _ = try client.messages()
    // A frame in another buffer does not wait.
    driver.drain()
    try client.present(3, 1)
    try client.present(4, 2)
    bench.output.vblank()
    #expect(try client.messages().contains(done(3, .superseded)))
    #expect(bench.output.shown?.buffer === buffers[BufferID(wire: 2)]?.buffer)
  }

  @Test func `a newer frame that can be shown supersedes a waiting one and takes its damage`() throws {
    let (bench, client) = try stage()
    try client.present(1, 1)
    bench.output.vblank()
    let never = try EventFD()
    try present(client, 2, 2, never, damage: Damage(Rect(width: 8, height: 8)))
    try client.present(3, 3, damage: Damage(Rect(x: 16, y: 16, width: 8, height: 8)))
    #expect(try client.messages() == [done(1, .flipped, 101), done(2, .superseded), released(2, 2)])
    let damage = try #require(bench.output.commits.last).frame.damage
    #expect(damage.count == 2 && damage.bounds == Rect(width: 24, height: 24))
  }

  @Test func `the first of several waiting frames to be signalled is shown, and older ones come too late`()
    throws
  {
    let (bench, client) = try stage()
    let first = try EventFD()
    let second = try EventFD()
    let third = try EventFD()
    try present(client, 1, 1, first)
    try present(client, 2, 2, second)
    try present(client, 3, 3, third)
    try bench.settle()
    second.signal()
    #expect(try client.messages() == [done(1, .superseded), released(1, 1)])
    bench.output.vblank()
    #expect(try client.messages() == [done(2, .flipped, 101)])
    first.signal()
    third.signal()
    try bench.settle()
    bench.output.vblank()
    #expect(try client.messages() == [done(3, .flipped, 102), released(2, 2)])
  }

  @Test func `a client that draws more than eight frames ahead loses the newest but one, never the oldest`() throws {
    let (bench, client) = try stage()
    let first = try EventFD()
    let never = try EventFD()
    try present(client, 1, 1, first)
    for frame in 2...9 { try present(client, UInt64(frame), 2, never) }
    #expect(try client.messages() == [done(8, .superseded)])
    first.signal()
    try bench.settle()
    bench.output.vblank()
    #expect(try client.messages() == [done(1, .flipped, 101)])
  }

  @Test func `a frame that waits keeps its buffer in use`() throws {
    let (bench, client) = try stage()
    let fence = try EventFD()
    try client.present(1, 1)
    bench.output.vblank()
    try present(client, 2, 1, fence)
    try present(client, 3, 1, fence)
    #expect(try client.messages() == [done(1, .flipped, 101)])
    fence.signal()
    try bench.settle()
    bench.output.vblank()
    #expect(try client.messages().contains(released(1, 3)) == false)
  }

  @Test(arguments: [true, false])
  func `a fence that is never signalled delays no other client, and is closed with its own`(leaves: Bool) throws {
    let bench = try Bench([FakeOutput("first"), FakeOutput("second")])
    let good = try bench.client("good", outputs: ["first"])
    let bad = try bench.client("bad", outputs: ["second"])
    try good.makeBuffer(1)
    try bad.makeBuffer(1)
    let fence = try EventFD()
    try present(bad, 1, 1, fence)
    try good.present(1, 1)
    bench.output.vblank()
    #expect(try good.messages() == [done(1, .flipped, 101)])
    if leaves {
      bad.leave()
    } else {
      try bad.send(.disable(scanout: 0))
      #expect(try bad.messages() == [done(1, .superseded), released(1, 1)])
    }
    try bench.settle()
    // Nothing waits for it any more: its signal does not wake the daemon.
    fence.signal()
    #expect(try bench.settle() == 0)
    #expect(bench.outputs[1].commits.isEmpty)
  }

  @Test func `a waiting frame is superseded when its scanout moves`() throws {
    let (bench, client) = try stage()
    let fence = try EventFD()
    try present(client, 1, 1, fence)
    try bench.settle()
    bench.output.plug(false)
    let messages = try client.messages()
    #expect(messages.first == done(1, .superseded))
    fence.signal()
    try bench.settle()
    #expect(bench.output.commits.isEmpty && bench.parked.allSatisfy { $0.commits.isEmpty })
  }

  @Test func `a missing fence, or a file of another kind, ends its client`()
    throws
  {
    for descriptor in ["/dev/zero", nil] {
      let (bench, client) = try stage()
      let file = try OwnedFD.open(descriptor ?? "/dev/null", flags: 0)
      try client.send(
        .present(
          Present(
            scanout: 0, generation: client.generation(), frame: 1, bufferID: 1, source: Rect(width: 64, height: 48),
            path: .direct, hasAcquireFence: true)), fds: descriptor == nil ? [] : [file.raw])
      guard case .error(let error, request: _)? = try client.messages().last else {
        Issue.record("no error")
        continue
      }
      #expect(error.code == .malformed)
      #expect(try client.ends())
      #expect(bench.output.commits.isEmpty)
    }
  }
}
