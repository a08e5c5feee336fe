import Glibc
import GraphicsMemory
import HybridRegion
import Ivshmem
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import Testing

@Suite struct SessionTests {
  @Test func `a frame reaches the output from the region's own pages, and its slot comes back`() throws {
    let stage = try Stage()
    try stage.run(until: { stage.server.sessions[0].client.output(0) != nil }, "the daemon tells of its output")
    let client = try stage.connect()
    let guest = try client.guest()
    #expect(guest.output == RegionOutput(width: 320, height: 200, refreshMillihertz: 200_000))
    #expect(guest.state == .presenting)
    #expect(guest.name == "web")
    let first = try client.present(0x0011_2233)
    try stage.run(
      until: {
        try client.collect()
        return client.done(first) != nil
      }, "the first frame is shown")
    #expect(client.done(first) == .flipped)
    #expect(!client.isReleased(first))
    let second = try client.present(0x0044_5566)
    try stage.run(
      until: {
        try client.collect()
        return client.isReleased(first)
      }, "the first slot comes back")
    #expect(client.done(second) == .flipped)
    #expect(client.drainDoorbell() > 0)
    for case .done(_, _, _, let time, let sequence) in client.events { #expect(time > 0 && sequence > 0) }
  }

  @Test func `a client that does not ring is polled`() throws {
    let stage = try Stage()
    let client = try stage.connect([])
    let frame = try client.present(1, rings: false)
    try stage.run(
      until: {
        try client.collect()
        return client.done(frame) == .flipped
      }, "the frame is found")
    #expect(client.drainDoorbell() == 0)
  }

  @Test func `a frame from before the daemon is shown when it starts, and again after its restart`() throws {
    let stage = try Stage(runsDaemon: false)
    let client = try stage.connect()
    let guest = try client.guest()
    #expect(guest.state == .waiting)
    let old = try client.present(1)
    for _ in 0..<10 { try stage.loop.runOnce(timeoutMilliseconds: 5) }
    let newest = try client.present(2)
    try stage.run(
      until: {
        try client.collect()
        return client.isReleased(old)
      }, "the older frame is given back")
    #expect(client.done(old) == .superseded)
    try stage.startDaemon()
    try stage.run(
      until: {
        try client.collect()
        return client.done(newest) == .flipped
      }, "the newest is shown")
    stage.stopDaemon()
    try stage.run(until: { guest.state == .waiting }, "the guest is told")
    try stage.startDaemon()
    try stage.run(until: { stage.server.sessions[0].client.output(0) != nil }, "the daemon is back")
    try stage.expectColor(2)
    let next = try client.present(3)
    try stage.run(
      until: {
        try client.collect()
        return client.isReleased(newest)
      }, "its slot comes back")
    #expect(client.done(next) == .flipped)
    #expect(client.events.count { if case .done(_, newest, _, _, _) = $0 { true } else { false } } == 1)
  }

  @Test(arguments: [2, 3, 8])
  func `a client that uses slots in turn is paced from the first frame on, and loses none`(slotCount: Int) throws {
    let stage = try Stage(slotCount: slotCount)
    let client = try stage.connect()
    let guest = try client.guest()
    var presented: UInt64 = 0
    try stage.run(
      until: {
        while presented < 100, guest.heldCount < slotCount { presented = try client.present(UInt32(presented)) }
        try client.collect()
        return presented == 100 && guest.heldCount == 1
      }, "all frames are through")
    let shown = client.events.compactMap { if case .done(_, let frame, .flipped, _, _) = $0 { frame } else { nil } }
    #expect(shown == Array(1...100))
    #expect(guest.refusalCount == 0)
  }

  @Test func `queued frames of a client that detaches end with it, and the next client is served`() throws {
    let stage = try Stage(slotCount: 8)
    let client = try stage.connect()
    let guest = try client.guest()
    while guest.heldCount < 8 { _ = try client.present(1) }
    try stage.run(
      until: {
        try client.collect()
        return client.done(1) != nil
      }, "the first is shown")
    guest.detach()
    client.ring()
    try stage.run(until: { stage.daemonLog.contains { $0.contains("the client has detached") } }, "the end is noticed")
    try client.attach([.rings, .listens], on: stage)
    try stage.run(
      until: {
        try client.collect()
        return guest.heldCount == 0
      }, "every slot is free again")
    let frame = try client.present(2)
    try stage.run(
      until: {
        try client.collect()
        return client.done(frame) == .flipped
      }, "the next client is served")
  }

  @Test func `every client has its own region, and a fresh one follows a client that leaves`() throws {
    let stage = try Stage()
    let first = try stage.connect()
    let second = try stage.connect()
    _ = try first.present(0x00FF_0000)
    #expect(stage.server.sessions.map(\.name) == ["web", "web-2"])
    #expect(try second.guest().name == "web-2")
    let before = try #require(LinuxFile.linkTarget(stage.socketPath + ".region"))
    #expect(before == "/proc/\(getpid())/fd/\(stage.server.sessions[0].memory.raw)")
    try withExtendedLifetime(first) {
      _ = try first.guest()
    }
  }

  @Test func `a client that ends leaves nothing behind`() throws {
    let stage = try Stage()
    var memory: Int32 = -1
    do {
      let client = try stage.connect()
      _ = try client.present(0x00FF_0000)
      memory = stage.server.sessions[0].memory.raw
      #expect(memory >= 0)
    }
    try stage.run(until: { stage.log.contains("web: disconnected") }, "the end is noticed")
    #expect(stage.server.sessions.count == 1)
    let next = try stage.connect()
    let guest = try next.guest()
    let pixels = guest.pixels(of: 0)
    #expect(pixels.allSatisfy { $0 == 0 })
    let frame = try next.present(1)
    try stage.run(
      until: {
        try next.collect()
        return next.done(frame) == .flipped
      }, "the next client is served")
  }

  @Test func `a picture narrower than its rows is shown`() throws {
    let stage = try Stage()
    let client = try stage.connect()
    let guest = try client.guest()
    let slot = try #require(guest.acquire())
    let layout = try #require(FrameLayout(width: 316, height: 200, strideBytes: 1280, format: .xrgb8888))
    let frame = try guest.present(slot, layout, readyNanoseconds: 0)
    client.ring()
    try stage.run(
      until: {
        try client.collect()
        return client.done(frame) != nil
      }, "it is answered")
    #expect(client.done(frame) == .flipped)
  }

  @Test func `a second client on one region displaces the first, and its slots come back`() throws {
    let stage = try Stage()
    let client = try stage.connect()
    let guest = try client.guest()
    _ = try client.present(1)
    try stage.run(
      until: {
        try client.collect()
        return !client.events.isEmpty
      }, "shown")
    let size = stage.server.sessions[0].layout.regionByteCount
    let other = try RegionGuest(Mapping(fd: client.fd, byteCount: size), isWeaklyOrdered: false)
    other.attach([.rings])
    client.ring()
    try stage.run(until: { try other.attachResult()?.get() != nil }, "the second client attaches")
    #expect(guest.isDisplaced)
    let slot = try #require(guest.acquire())
    let layout = try #require(FrameLayout(width: 320, height: 200, strideBytes: 1280, format: .xrgb8888))
    #expect(throws: RegionPresentError.displaced) { try guest.present(slot, layout, readyNanoseconds: 0) }
    let otherSlot = try #require(other.acquire())
    _ = try other.present(otherSlot, layout, readyNanoseconds: 0)
    client.ring()
    var released = false
    try stage.run(
      until: {
        while let event = other.nextEvent() { if case .released(_, 0) = event { released = true } }
        return released
      }, "the first client's slot goes to the second")
  }

  @Test func `the snapshot of the daemon is the slot's picture`() throws {
    let stage = try Stage()
    let client = try stage.connect()
    let frame = try client.present(0x0012_3456)
    try stage.run(
      until: {
        try client.collect()
        return client.done(frame) == .flipped
      }, "shown")
    try stage.expectColor(0x12_3456)
  }
}
