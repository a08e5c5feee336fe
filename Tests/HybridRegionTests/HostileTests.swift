import CFramepathABI
import FrameSimulator
import Glibc
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout
import Testing

/// Either side writes arbitrary data; the other side loses only frames.
@Suite struct HostileTests {
  private static let presentRing = 0x2000
  private static let presentTail = 0x1000 + 64
  private static let releaseHead = 0x1000 + 128

  @Test func `a slot out of range is refused and the next frame shown`() throws {
    let pair = try Pair()
    try pair.attach()
    _ = try pair.present()
    pair.poke(UInt32(3), at: HostileTests.presentRing + 24)
    #expect(pair.refusal() == .badSlot)
    #expect(pair.guest.refusalCount == 1)
    _ = try pair.present()
    #expect(try pair.take().frame == 2)
  }

  @Test(arguments: [
    (32, UInt32(0)), (32, 16385), (36, 0), (36, .max), (40, 255), (40, .max), (44, 0x3231_564E),
    (36, 300),
  ])
  func `a layout that exceeds a slot is refused and the slot released`(offset: Int, value: UInt32) throws {
    let pair = try Pair()
    try pair.attach()
    let (slot, frame) = try pair.present()
    pair.poke(value, at: HostileTests.presentRing + offset)
    #expect(pair.refusal() == .badLayout)
    #expect(
      pair.guest.nextEvent()
        == .done(slot: slot, frame: frame, .rejected(.badLayout), timeNanoseconds: 0, sequence: 0))
    #expect(pair.guest.nextEvent() == .released(slot: slot, frame: frame))
    #expect(pair.host.heldSlots == 0)
  }

  @Test func `damage is clipped to the picture and more rectangles than an entry has are refused`() throws {
    let pair = try Pair()
    try pair.attach()
    _ = try pair.present(damage: Damage(Rect(x: 0, y: 0, width: 1, height: 1)))
    pair.poke(UInt32.max, at: HostileTests.presentRing + 64)
    pair.poke(UInt32.max, at: HostileTests.presentRing + 72)
    let outside = try pair.take()
    #expect(outside.damage.isNothing)
    _ = try pair.present(damage: Damage(Rect(x: 0, y: 0, width: 1, height: 1)))
    pair.poke(UInt32(13), at: HostileTests.presentRing + 256 + 28)
    #expect(pair.refusal() == .badDamage)
  }

  @Test func `a slot that is on screen is not taken again`() throws {
    let pair = try Pair()
    try pair.attach()
    let (slot, _) = try pair.present()
    _ = try pair.take()
    _ = try pair.present()
    pair.poke(UInt32(slot), at: HostileTests.presentRing + 256 + 24)
    #expect(pair.refusal() == .slotHeld)
    #expect(pair.host.heldSlots == 1 << UInt64(slot))
  }

  @Test func `a frame number that does not rise is refused`() throws {
    let pair = try Pair()
    try pair.attach()
    _ = try pair.present()
    _ = try pair.take()
    _ = try pair.present()
    pair.poke(UInt64(1), at: HostileTests.presentRing + 256 + 8)
    #expect(pair.refusal() == .badFrame)
  }

  @Test func `a stale entry and a torn one are skipped`() throws {
    let pair = try Pair()
    try pair.attach()
    _ = try pair.present()
    pair.poke(UInt64(0), at: HostileTests.presentRing)
    #expect(pair.refusal() == .torn)
    _ = try pair.present()
    pair.poke(UInt32(7), at: HostileTests.presentRing + 256 + 4)
    #expect(pair.refusal() == .torn)
    #expect(pair.refusal() == nil)
    #expect(pair.host.refusalCount == 2)
  }

  @Test func `an overrun skips the announced entries and continues`() throws {
    let pair = try Pair()
    try pair.attach()
    _ = try pair.present()
    pair.poke(UInt32(33), at: HostileTests.presentTail)
    #expect(pair.refusal() == .overrun)
    #expect(pair.refusal() == nil)
    pair.poke(UInt32(0), at: HostileTests.presentTail)
    #expect(pair.refusal() == .overrun)
    #expect(pair.refusal() == nil)
  }

  @Test func `words of another epoch are ignored`() throws {
    let pair = try Pair()
    try pair.attach()
    _ = try pair.present()
    pair.poke(UInt32(1), at: HostileTests.presentTail + 4)
    #expect(pair.refusal() == nil)
    #expect(pair.host.refusalCount == 0)
  }

  @Test func `a guest of another major version gets the reason`() throws {
    let pair = try Pair()
    pair.poke(UInt64(5) << 32 | 2 << 16, at: 0x1000)
    #expect(pair.host.checkAttach() == .refused(.badVersion))
    #expect(pair.bytes(192..<200) == [1, 0, 0, 0, 5, 0, 0, 0])
    #expect(!pair.host.isAttached)
  }

  @Test func `a guest that does not read its events loses only events`() throws {
    let pair = try Pair()
    try pair.attach()
    let (slot, _) = try pair.present()
    _ = try pair.take()
    for _ in 0..<1000 { pair.host.done(slot, .superseded) }
    pair.poke(UInt64.max, at: HostileTests.releaseHead)
    pair.host.release(slot)
    #expect(pair.host.heldSlots == 0)
  }

  @Test func `garbage over the whole region causes only refusals`() throws {
    let pair = try Pair()
    try pair.attach()
    var random = SeededGenerator(seed: 1)
    var frames = 0
    for _ in 0..<20_000 {
      // Mostly plausible words, so that the later checks are reached.
      let offset = Int.random(in: 0..<0x5000 / 8, using: &random) * 8
      pair.poke(Bool.random(using: &random) ? random.next() : random.next() % 40, at: offset)
      if Int.random(in: 0..<50, using: &random) == 0 {
        pair.guest.attach([])
        _ = pair.guest.attachResult()
      }
      _ = pair.host.checkAttach()
      if Bool.random(using: &random) { pair.host.silenceDoorbell() } else { pair.host.wantDoorbell() }
      _ = pair.host.takeFrames { take in
        guard case .frame(let frame) = take else { return }
        frames += 1
        #expect(frame.slot < 3 && frame.layout.byteCount <= pair.host.layout.slotByteCount)
        pair.host.done(frame.slot, .flipped)
        pair.host.release(frame.slot)
      }
      _ = pair.guest.wantsDoorbell()
      if let slot = pair.guest.acquire(), let picture = Pair.picture {
        _ = try? pair.guest.present(slot, picture, readyNanoseconds: 0)
      }
      for _ in 0..<100 { if pair.guest.nextEvent() == nil { break } }
      _ = pair.guest.output
      _ = pair.guest.state
    }
    // The same region then serves the next client.
    try pair.attach()
    _ = try pair.present()
    _ = try pair.take()
    #expect(frames > 0)
  }

  @Test func `an overwritten header is restored`() throws {
    let pair = try Pair()
    pair.host.setOutput(RegionOutput(width: 640, height: 480, refreshMillihertz: 60_000))
    let whole = pair.bytes(0..<224)
    #expect(!pair.host.repair())
    for offset in stride(from: 0, to: 224, by: 8) { pair.poke(UInt64.max, at: offset) }
    #expect(pair.host.repair())
    #expect(pair.bytes(0..<192) == Array(whole[0..<192]))
    #expect(pair.bytes(208..<224) == Array(whole[208..<224]))
    try pair.attach()
  }

  @Test func `another thread's garbage is survived`() throws {
    let pair = try Pair()
    try pair.attach()
    let writer = Garbage(fd: pair.host.fd, byteCount: 0x5000)
    writer.run()
    let end = monotonicNanoseconds() + 1_000_000_000
    while monotonicNanoseconds() < end {
      _ = pair.host.checkAttach()
      _ = pair.host.takeFrames { if case .frame(let frame) = $0 { pair.host.release(frame.slot) } }
      for _ in 0..<100 { if pair.guest.nextEvent() == nil { break } }
    }
    writer.stop()
    try pair.attach()
    _ = try pair.present()
    #expect(try pair.take().frame == 1)
  }

  @Test func `a region cannot be truncated`() throws {
    let pair = try Pair()
    #expect(ftruncate(pair.host.fd.raw, 4096) == -1)
    #expect(errno == EPERM)
    #expect(ftruncate(pair.host.fd.raw, 1 << 30) == -1)
  }

  @Test(arguments: [
    (24, UInt64(1) << 40), (32, 1 << 40), (32, 4096), (40, 0), (40, UInt64.max), (48, 0), (48, 1 << 20),
    (56, 1 << 31), (56, 4), (60, 33), (60, 1 << 31), (68, 0xFFFF_FFF8), (52, 0xFFFF_FFF8),
  ])
  func `a guest refuses a header that points outside its memory`(offset: Int, value: UInt64) throws {
    let pair = try Pair()
    if offset < 48 { pair.poke(value, at: offset) } else { pair.poke(UInt32(truncatingIfNeeded: value), at: offset) }
    #expect(throws: RegionError.self) {
      try RegionGuest(
        Mapping(fd: pair.host.fd.raw, byteCount: pair.host.layout.regionByteCount), isWeaklyOrdered: false)
    }
  }

  @Test func `a guest names an unsupported version, and memory without a region`() throws {
    let pair = try Pair()
    func open() throws -> RegionGuest {
      try RegionGuest(
        Mapping(fd: pair.host.fd.raw, byteCount: pair.host.layout.regionByteCount), isWeaklyOrdered: false)
    }
    pair.poke(UInt32(2 << 16), at: 8)
    #expect(throws: RegionError.version(host: 2, guest: 1)) { try open() }
    pair.poke(UInt64(0), at: 0)
    #expect(throws: RegionError.noRegion) { try open() }
  }
}

/// A thread that writes random words over a region.
private final class Garbage: @unchecked Sendable {
  private let fd: SharedFD
  private let byteCount: Int
  private var thread = pthread_t()

  init(fd: SharedFD, byteCount: Int) {
    self.fd = fd
    self.byteCount = byteCount
  }

  func run() {
    _ = unsafe pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let garbage = unsafe Unmanaged<Garbage>.fromOpaque(context).takeRetainedValue()
        garbage.write()
        return nil
      }, unsafe Unmanaged.passRetained(self).toOpaque())
  }

  private func write() {
    guard let mapping = try? Mapping(fd: fd.raw, byteCount: byteCount) else { return }
    var random = SeededGenerator(seed: 2)
    let end = monotonicNanoseconds() + 900_000_000
    while monotonicNanoseconds() < end {
      for _ in 0..<1000 {
        let offset = Int.random(in: 0..<byteCount / 8, using: &random) * 8
        unsafe mapping.base.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
      }
    }
  }

  func stop() { _ = pthread_join(thread, nil) }
}
