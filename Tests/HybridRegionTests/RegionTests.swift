import CFramepathABI
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout
import Testing

@Suite struct RegionTests {
  @Test func `the header's bytes are those of the ABI`() throws {
    let pair = try Pair()
    let expected: [UInt8] =
      Array("FPREGION".utf8)  // magic
      + [1, 0, 1, 0]  // version 1.1
      + [0x80, 1, 0, 0]  // header_bytes 384
      + [0, 0, 0, 0, 0, 0, 0, 0]  // features
      + [0, 0, 4, 0, 0, 0, 0, 0]  // region_bytes 256 KiB
      + [0, 0, 1, 0, 0, 0, 0, 0]  // slots_offset 64 KiB
      + [0, 0, 1, 0, 0, 0, 0, 0]  // slot_bytes 64 KiB
      + [3, 0, 0, 0]  // slot_count
      + [0, 0x10, 0, 0]  // guest_offset
      + [0, 0x20, 0, 0]  // present_offset
      + [32, 0, 0, 0]  // present_entries
      + [0, 1, 0, 0]  // present_entry_bytes
      + [0, 0x40, 0, 0]  // release_offset
      + [64, 0, 0, 0]  // release_entries
      + [64, 0, 0, 0]  // release_entry_bytes
      + [0, 0, 0, 0, 0, 0, 0, 0]  // doorbell
      + Array("web".utf8) + [0]
    #expect(pair.bytes(0..<expected.count) == expected)
    #expect(MemFD.seals(of: pair.host.fd.raw) == [.shrink, .grow, .seal])
  }

  @Test func `a present entry's bytes are those of the ABI`() throws {
    let pair = try Pair()
    try pair.attach()
    var damage = DamageRegion(Rect(x: 1, y: 2, width: 3, height: 4))
    damage.add(Rect(x: 60, y: 10, width: 100, height: 100))
    _ = try pair.present(damage: .region(damage))
    #expect(
      pair.bytes(0x2000..<0x2004) == [0, 0, 0, 0], "position 0")
    #expect(pair.bytes(0x2004..<0x2008) == pair.bytes(0x1004..<0x1008), "the attach's epoch")
    #expect(
      pair.bytes(0x2008..<0x2060)
        == [1, 0, 0, 0, 0, 0, 0, 0]  // frame
        + [5, 0, 0, 0, 0, 0, 0, 0]  // ready_ns
        + [0, 0, 0, 0, 2, 0, 0, 0]  // slot, damage_count
        + [64, 0, 0, 0, 16, 0, 0, 0]  // width, height
        + [0, 1, 0, 0] + Array("XR24".utf8)  // stride, fourcc
        + Array(repeating: 0, count: 16)  // reserved
        + [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]
        + [60, 0, 0, 0, 10, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0])
  }

  @Test func `a frame goes round: presented, flipped, released`() throws {
    let pair = try Pair()
    try pair.attach()
    let (slot, frame) = try pair.present(damage: Damage(Rect(x: 1, y: 2, width: 3, height: 4)))
    let taken = try pair.take()
    #expect(taken.slot == slot && taken.frame == 1 && taken.layout == Pair.picture && taken.readyNanoseconds == 5)
    let damage = taken.damage.clipped(to: Rect(width: 64, height: 16))
    #expect(damage.count == 1 && damage[0] == Rect(x: 1, y: 2, width: 3, height: 4))
    #expect(pair.host.heldSlots == 1)
    #expect(pair.guest.nextEvent() == nil)
    pair.host.done(slot, .flipped, timeNanoseconds: 77, sequence: 9)
    pair.host.release(slot)
    #expect(
      pair.guest.nextEvent() == .done(slot: slot, frame: frame, .flipped, timeNanoseconds: 77, sequence: 9))
    #expect(pair.guest.nextEvent() == .released(slot: slot, frame: frame))
    #expect(pair.guest.nextEvent() == nil)
    #expect(pair.host.heldSlots == 0 && pair.guest.heldCount == 0)
  }

  @Test func `a frame that changes nothing is not one that changes everything`() throws {
    let pair = try Pair()
    try pair.attach()
    let picture = Rect(width: 64, height: 16)
    let beside = Damage(Rect(x: 64, y: 0, width: 8, height: 8))
    for (index, damage) in [.full, .nothing, beside].enumerated() {
      _ = try pair.present(damage: damage)
      let entry = 0x2000 + index * 256
      #expect(pair.bytes(entry + 28..<entry + 32) == [index == 0 ? 0 : 1, 0, 0, 0], "damage_count")
      #expect(pair.bytes(entry + 64..<entry + 80) == Array(repeating: 0, count: 16), "damage[0]")
      let taken = try pair.take()
      #expect(taken.damage.isNothing == (index > 0))
      #expect(taken.damage.clipped(to: picture).bounds == (index == 0 ? picture : .empty))
    }
  }

  @Test func `more rectangles than an entry holds become their bounds`() throws {
    let pair = try Pair()
    try pair.attach()
    var damage = Damage.nothing
    for number in 0..<13 { damage.add(Rect(x: 2 * number, y: number, width: 1, height: 1)) }
    _ = try pair.present(damage: damage)
    let taken = try pair.take().damage.clipped(to: Rect(width: 64, height: 16))
    #expect(taken.count == 1 && taken[0] == Rect(width: 25, height: 13))
  }

  @Test func `ten thousand frames pass through the rings`() throws {
    let pair = try Pair()
    try pair.attach()
    for expected in 1...10_000 {
      let (slot, frame) = try pair.present()
      #expect(frame == UInt64(expected))
      #expect(try pair.take().frame == UInt64(expected))
      pair.host.done(slot, .flipped, timeNanoseconds: 1, sequence: 1)
      pair.host.release(slot)
      while pair.guest.nextEvent() != nil {}
    }
    #expect(pair.host.refusalCount == 0)
  }

  @Test func `a slot held by the host cannot be acquired, and the newest picture is acquired first`() throws {
    let pair = try Pair(slotCount: 2)
    try pair.attach()
    let first = try pair.present()
    #expect(pair.guest.age(of: first.slot) == 1)
    let second = try pair.present()
    #expect(pair.guest.acquire() == nil)
    _ = try pair.take()
    _ = try pair.take()
    pair.host.release(first.slot)
    pair.host.release(second.slot)
    while pair.guest.nextEvent() != nil {}
    #expect(pair.guest.acquire() == second.slot)
    #expect(pair.guest.age(of: first.slot) == 2)
    pair.guest.abandon(second.slot)
    #expect(pair.guest.age(of: second.slot) == 0)
  }

  @Test func `a new client inherits held slots and gets them at their release`() throws {
    let pair = try Pair(slotCount: 2)
    try pair.attach()
    _ = try pair.present()
    let held = try pair.take()
    let second = try RegionGuest(
      Mapping(fd: pair.host.fd.raw, byteCount: pair.host.layout.regionByteCount), isWeaklyOrdered: false)
    second.attach([])
    #expect(pair.host.checkAttach() == .attached([]))
    try #require(try second.attachResult()?.get() != nil)
    let free = try #require(second.acquire())
    #expect(free != held.slot)
    #expect(second.acquire() == nil)
    pair.host.release(held.slot)
    #expect(second.nextEvent() == .released(slot: held.slot, frame: 0))
    // The displaced client notices it, and its frames are not shown.
    #expect(pair.guest.isDisplaced)
    let slot = try #require(pair.guest.acquire())
    let picture = try #require(Pair.picture)
    #expect(throws: RegionPresentError.displaced) {
      try pair.guest.present(slot, picture, readyNanoseconds: 0)
    }
    #expect(!second.isDisplaced)
  }

  @Test func `detaching notifies the host, and the state and mode reach the guest`() throws {
    let pair = try Pair()
    pair.host.setOutput(RegionOutput(width: 1920, height: 1080, refreshMillihertz: 59_940))
    pair.host.setState(.presenting)
    try pair.attach()
    #expect(pair.guest.output == RegionOutput(width: 1920, height: 1080, refreshMillihertz: 59_940))
    #expect(pair.guest.state == .presenting)
    pair.host.setOutput(nil)
    #expect(pair.guest.output == nil)
    pair.guest.detach()
    #expect(pair.host.checkAttach() == .detached)
    #expect(pair.host.checkAttach() == nil)
    #expect(!pair.host.isAttached)
  }

  @Test(arguments: [(64 << 20, 3, 22_347_776), (32 << 20, 3, 11_141_120), (1 << 32, 16, 268_369_920)])
  func `a region of a given size is divided in steps of 64 KiB`(bytes: Int, slots: Int, slotBytes: Int) throws {
    let layout = try #require(RegionLayout(regionByteCount: bytes, slotCount: slots))
    #expect(layout.slotByteCount == slotBytes)
    #expect(layout.slotOffset(slots) <= bytes)
  }

  @Test func `the smallest power of two that holds the frames is taken`() throws {
    #expect(try #require(RegionLayout(fittingFrameBytes: 1920 * 1080 * 4, slotCount: 3)).regionByteCount == 32 << 20)
    #expect(try #require(RegionLayout(fittingFrameBytes: 3840 * 2160 * 4, slotCount: 3)).regionByteCount == 128 << 20)
    #expect(RegionLayout(regionByteCount: 48 << 20, slotCount: 3) == nil)
    #expect(RegionLayout(regionByteCount: 64 << 20, slotCount: 17) == nil)
    #expect(RegionLayout(regionByteCount: 128 << 10, slotCount: 2) == nil)
    #expect(RegionLayout(regionByteCount: 0, slotCount: 1) == nil)
    #expect(RegionLayout(fittingFrameBytes: 1 << 33, slotCount: 1) == nil)
  }
}
