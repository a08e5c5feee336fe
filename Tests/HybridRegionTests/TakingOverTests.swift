import FrameSimulator
import HybridRegion
import LinuxIO
import Testing

/// Another host continues where one has stopped, without notifying the guest.
@Suite struct TakingOverTests {
  private func another(_ pair: Pair) throws -> RegionHost {
    try RegionHost(memory: pair.host.fd, name: "web", layout: pair.host.layout)
  }

  private func events(_ pair: Pair) -> [RegionEvent] {
    var events: [RegionEvent] = []
    while let event = pair.guest.nextEvent() { events.append(event) }
    return events
  }

  @Test func `the next host reads back slot, frame and sent events of the former one`() throws {
    let pair = try Pair()
    try pair.attach()
    let first = try pair.present()
    let second = try pair.present()
    let third = try pair.present()
    for _ in 0..<3 { _ = try pair.take() }
    pair.host.done(first.slot, .flipped)
    pair.host.release(first.slot)
    pair.host.done(second.slot, .flipped, timeNanoseconds: 7, sequence: 8)
    let host = try another(pair)
    let held = host.takeHeldFrames()
    #expect(held.map(\.slot) == [second.slot, third.slot])
    #expect(held.map { $0.frame?.frame } == [second.frame, third.frame])
    #expect(held.map(\.isTold) == [true, false])
    #expect(held[0].frame?.layout == Pair.picture)
    #expect(host.isAttached && host.guestFlags == [.rings])
    host.release(second.slot)
    host.done(third.slot, .lost)
    host.release(third.slot)
    #expect(
      events(pair) == [
        .done(slot: first.slot, frame: 1, .flipped, timeNanoseconds: 0, sequence: 0),
        .released(slot: first.slot, frame: 1),
        .done(slot: second.slot, frame: 2, .flipped, timeNanoseconds: 7, sequence: 8),
        .released(slot: second.slot, frame: 2),
        .done(slot: third.slot, frame: 3, .lost, timeNanoseconds: 0, sequence: 0),
        .released(slot: third.slot, frame: 3),
      ])
    #expect(pair.guest.heldCount == 0)
  }

  @Test func `frames that the former host had not read go to the next one`() throws {
    let pair = try Pair()
    try pair.attach()
    let frame = try pair.present()
    let host = try another(pair)
    #expect(host.checkAttach() == nil)
    #expect(host.takeHeldFrames().isEmpty)
    guard case .frame(let taken) = host.takeFrame() else {
      Issue.record("no frame")
      return
    }
    #expect(taken.frame == frame.frame && taken.slot == frame.slot)
  }

  @Test func `a slot held since before the attach stays held, and is released as frame 0`() throws {
    let pair = try Pair()
    try pair.attach()
    let old = try pair.present()
    _ = try pair.take()
    try pair.attach()
    let host = try another(pair)
    let held = host.takeHeldFrames()
    #expect(held.map(\.slot) == [old.slot] && held[0].frame == nil && held[0].isTold)
    host.release(old.slot)
    #expect(events(pair) == [.released(slot: old.slot, frame: 0)])
    #expect(pair.guest.heldCount == 0)
  }

  @Test func `the same holds after the rings have wrapped many times`() throws {
    let pair = try Pair()
    try pair.attach()
    for _ in 0..<100 {
      let (slot, _) = try pair.present()
      _ = try pair.take()
      pair.host.done(slot, .flipped)
      pair.host.release(slot)
      #expect(events(pair).count == 2)
    }
    let last = try pair.present()
    _ = try pair.take()
    let host = try another(pair)
    #expect(host.takeHeldFrames().compactMap { $0.frame?.frame } == [last.frame])
    host.release(last.slot)
    #expect(events(pair) == [.released(slot: last.slot, frame: last.frame)])
  }

  @Test func `a guest that detached or attached again is not taken over`() throws {
    let pair = try Pair()
    try pair.attach()
    _ = try pair.present()
    _ = try pair.take()
    pair.guest.detach()
    let host = try another(pair)
    #expect(!host.isAttached && host.takeHeldFrames().isEmpty)
    pair.guest.attach([])
    let third = try another(pair)
    #expect(third.checkAttach() == .attached([]))
  }

  @Test func `a host that takes over arbitrary bytes neither traps nor holds a slot that does not exist`() throws {
    let pair = try Pair()
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<300 {
      try pair.attach()
      for _ in 0..<3 {
        _ = try pair.present()
        _ = try pair.take()
      }
      for _ in 0..<64 {
        let offset = Int.random(in: 0..<pair.host.layout.slotsOffset / 8, using: &generator) * 8
        pair.poke(UInt64.random(in: 0...UInt64.max, using: &generator), at: offset)
        // Also the rings' own words, which random offsets rarely hit.
        let near = [0, 192, 200, 256, 320, 4096, 4160, 4224, 8192, 8216, 8448, 16384, 16416]
        pair.poke(UInt64.random(in: 0...3, using: &generator) << 32, at: near.randomElement(using: &generator) ?? 0)
      }
      let host = try another(pair)
      for held in host.takeHeldFrames() {
        #expect((0..<3).contains(held.slot))
        host.done(held.slot, .lost)
        host.release(held.slot)
      }
      #expect(host.heldSlots == 0)
      _ = events(pair)
      // The pair's host does not see this: start over.
      for slot in 0..<3 { pair.host.release(slot) }
      pair.host.repair()
      pair.guest.detach()
      _ = pair.host.checkAttach()
      for slot in 0..<3 { pair.guest.abandon(slot) }
    }
  }

  @Test func `memory that can shrink or has another size is refused`() throws {
    let pair = try Pair()
    let unsealed = SharedFD(try OwnedFD.open("/dev/zero", flags: 2))
    #expect(throws: SystemError.self) {
      try RegionHost(memory: unsealed, name: "web", layout: pair.host.layout)
    }
    let other = SharedFD(try MemFD.create(name: "other", byteCount: 1 << 16))
    #expect(throws: SystemError.self) { try RegionHost(memory: other, name: "web", layout: pair.host.layout) }
  }
}
