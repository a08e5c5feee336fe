import CFramepathABI
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
import Testing

/// A client that brings its own region.
private final class RegionClient {
  let bench: Bench
  let client: BenchClient
  let memory: SharedFD
  let layout: RegionLayout
  let doorbell: EventFD
  let guestDoorbell: EventFD
  let guest: RegionGuest
  private(set) var events: [RegionEvent] = []

  init(
    _ bench: Bench, name: String = "box", hasGuestDoorbell: Bool = false, guestDoorbell: consuming EventFD? = nil
  ) throws {
    self.bench = bench
    layout = try #require(RegionLayout(fittingFrameBytes: 64 * 48 * 4, slotCount: 3))
    memory = SharedFD(try layout.makeMemory())
    doorbell = try EventFD()
    if let guestDoorbell { self.guestDoorbell = guestDoorbell } else { self.guestDoorbell = try EventFD() }
    client = try bench.client(name)
    try RegionClient.give(
      client, memory, layout, doorbell.fd.raw, hasGuestDoorbell ? self.guestDoorbell.fd.raw : nil)
    try bench.settle()
    guest = try RegionGuest(
      Mapping(fd: memory.raw, byteCount: layout.regionByteCount), isWeaklyOrdered: false)
  }

  static func give(
    _ client: BenchClient, _ memory: SharedFD, _ layout: RegionLayout, _ doorbell: Int32, _ guestDoorbell: Int32?
  ) throws {
    try client.send(
      .region(
        AttachRegion(
          scanout: 0, regionByteCount: UInt64(layout.regionByteCount), slotCount: UInt32(layout.slotCount),
          sharesClock: true, hasGuestDoorbell: guestDoorbell != nil)),
      fds: [memory.raw, doorbell] + (guestDoorbell.map { [$0] } ?? []))
  }

  func attach(_ flags: RegionGuestFlags = [.rings, .listens]) throws {
    guest.attach(flags)
    doorbell.signal()
    try bench.settle()
    try #require(try guest.attachResult()?.get() != nil)
  }

  func present(width: Int = 64, height: Int = 48) throws -> (slot: Int, frame: UInt64) {
    let slot = try #require(guest.acquire())
    let picture = try #require(
      FrameLayout(width: width, height: height, strideBytes: width * 4, format: .xrgb8888))
    let frame = try guest.present(slot, picture, readyNanoseconds: monotonicNanoseconds())
    doorbell.signal()
    try bench.settle()
    return (slot, frame)
  }

  /// Presents as long as there are free slots.
  func presentAll() throws {
    while let slot = guest.acquire() {
      let picture = try #require(FrameLayout(width: 64, height: 48, strideBytes: 64 * 4, format: .xrgb8888))
      _ = try guest.present(slot, picture, readyNanoseconds: monotonicNanoseconds())
    }
    doorbell.signal()
  }

  func newEvents() -> [RegionEvent] {
    var new: [RegionEvent] = []
    while let event = guest.nextEvent() { new.append(event) }
    return new
  }
}

private func flipped(_ frame: (slot: Int, frame: UInt64), _ sequence: UInt64) -> RegionEvent {
  .done(slot: frame.slot, frame: frame.frame, .flipped, timeNanoseconds: sequence * 1000, sequence: sequence)
}

private func lost(_ frame: (slot: Int, frame: UInt64), _ outcome: RegionOutcome) -> RegionEvent {
  .done(slot: frame.slot, frame: frame.frame, outcome, timeNanoseconds: 0, sequence: 0)
}

private func released(_ frame: (slot: Int, frame: UInt64)) -> RegionEvent {
  .released(slot: frame.slot, frame: frame.frame)
}

@Suite("A client's region, served by the daemon")
struct RegionFeedTests {
  private func pathReasons(_ client: BenchClient) throws -> [String] {
    try client.readStatus().vms.flatMap(\.scanouts).compactMap(\.pathReason)
  }

  @Test func `a region gets its header from the daemon, and the client gets REGION_NEWS`() throws {
    let bench = try Bench()
    let box = try RegionClient(bench)
    #expect(try box.client.messages() == [.regionNews(scanout: 0)])
    #expect(box.guest.name == "box")
    #expect(box.guest.output == RegionOutput(width: 64, height: 48, refreshMillihertz: 60_000))
    #expect(box.guest.state == .presenting)
    #expect(box.guest.sharesClock)
  }

  @Test
  func `frames are read from one ring, and flips and releases written to the other, with one message per iteration`()
    throws
  {
    let bench = try Bench()
    let box = try RegionClient(bench)
    try box.attach()
    _ = try box.client.messages()
    let first = try box.present()
    #expect(bench.output.commits.count == 1)
    bench.output.vblank()
    #expect(try box.client.messages() == [.regionNews(scanout: 0)])
    #expect(box.newEvents() == [flipped(first, 101)])
    let second = try box.present()
    bench.output.vblank()
    #expect(try box.client.messages() == [.regionNews(scanout: 0)])
    #expect(box.newEvents() == [flipped(second, 102), released(first)])
    let scanout = try #require(try box.client.readStatus().vms.first?.scanouts.first)
    #expect((scanout.path, scanout.cpuCopies, scanout.copiedBytes) == (.direct, 0, 0))
    #expect((scanout.framesPresented, scanout.framesFlipped) == (2, 2))
  }

  @Test(arguments: [("[vm.box]\ncap = 30", 2), ("[vm.box]\ncap = 20", 3), ("[outputs]\nlayout = \"tile 2x1\"", 1)])
  func `with a cap, and in a tile, a client that takes its slots in turn is paced by the screen and loses no frame`(
    settings: String, least: UInt64
  ) throws {
    let bench = try Bench(headless: [DisplayMode(width: 64, height: 48, refreshMillihertz: 60_000)])
    try bench.server?.apply(settings)
    let box = try RegionClient(bench)
    try box.attach()
    var flips: [UInt64] = []
    let came = try bench.run {
      try box.presentAll()
      for case .done(_, _, let outcome, _, let sequence) in box.newEvents() {
        #expect(outcome == .flipped)
        flips.append(sequence)
      }
      return flips.count >= 20
    }
    #expect(came)
    #expect(zip(flips, flips.dropFirst()).dropFirst().allSatisfy { $1 - $0 >= least }, "\(flips)")
  }

  @Test func `a region's guest doorbell is signalled, and its client gets no message`() throws {
    let bench = try Bench()
    let box = try RegionClient(bench, hasGuestDoorbell: true)
    try box.attach()
    box.guestDoorbell.drain()
    _ = try box.present()
    #expect(box.guestDoorbell.drain() == 0)
    bench.output.vblank()
    try bench.settle()
    #expect(box.guestDoorbell.drain() == 1)
    #expect(try box.client.messages().isEmpty)
  }

  @Test func `a guest doorbell whose counter is full, and whose writers would wait, costs the daemon nothing`() throws {
    let bench = try Bench()
    let full = OwnedFD(taking: eventfd(0, 0))
    var most = UInt64.max - 1
    try #require(write(full.raw, &most, 8) == 8)
    let box = try RegionClient(bench, hasGuestDoorbell: true, guestDoorbell: EventFD(taking: full))
    try box.attach()
    let frame = try box.present()
    bench.output.vblank()
    try bench.settle()
    #expect(box.newEvents().contains(flipped(frame, 101)))
    #expect(try bench.client("other").readStatus().vms.count == 2)
    // It was raised, as far as it can be.
    #expect(box.guestDoorbell.drain() == .max)
  }

  @Test func `a client that uses slots in turn loses no frame, because two are pending and the third waits`() throws {
    let bench = try Bench()
    let box = try RegionClient(bench)
    try box.attach()
    var frames = [try box.present(), try box.present(), try box.present()]
    for number in 0..<20 {
      bench.output.vblank()
      try bench.settle()
      let events = box.newEvents()
      #expect(events.first == flipped(frames[number], UInt64(101 + number)))
      if number > 0 {
        #expect(events.last == released(frames[number - 1]))
        frames.append(try box.present())
      }
    }
  }

  @Test
  func `no doorbell is requested while a flip will wake the daemon, and frames presented without one are shown`()
    throws
  {
    let bench = try Bench()
    let box = try RegionClient(bench)
    try box.attach()
    func presentQuietly() throws -> (slot: Int, frame: UInt64) {
      let slot = try #require(box.guest.acquire())
      let picture = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
      return (slot, try box.guest.present(slot, picture, readyNanoseconds: 0))
    }
    #expect(box.guest.wantsDoorbell(), "on an idle screen a frame is shown at once")
    var frames = [try box.present()]
    #expect(box.guest.wantsDoorbell(), "it may be one that waits for each flip")
    frames.append(try box.present())
    #expect(!box.guest.wantsDoorbell(), "it draws ahead")
    for number in 0..<10 {
      if number > 0 { frames.append(try presentQuietly()) }
      #expect(!box.guest.wantsDoorbell())
      #expect(try bench.settle() == 0)
      bench.output.vblank()
      try bench.settle()
      #expect(bench.output.commits.count == number + 2, "it is committed in the round of the flip")
      #expect(box.newEvents().first == flipped(frames[number], UInt64(101 + number)))
    }
    bench.output.vblank()
    try bench.settle()
    #expect(box.newEvents().first == flipped(frames[10], 111))
    #expect(box.guest.wantsDoorbell(), "nothing is under way")
  }

  @Test func `every doorbell is requested while others share the output`() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"tile 2x1\"")
    let box = try RegionClient(bench)
    let other = try RegionClient(bench, name: "other")
    try box.attach()
    try other.attach()
    _ = try box.present()
    #expect(box.guest.wantsDoorbell())
  }

  @Test func `a region whose guest does not ring is polled`() throws {
    let bench = try Bench()
    let box = try RegionClient(bench)
    try box.attach([])
    let slot = try #require(box.guest.acquire())
    let picture = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    _ = try box.guest.present(slot, picture, readyNanoseconds: 0)
    #expect(try bench.run { bench.output.commits.count == 1 })
  }

  @Test func `the newest frame of a region is shown again when its scanout moves, and the others are lost`() throws {
    let bench = try Bench()
    let box = try RegionClient(bench)
    try box.attach()
    let first = try box.present()
    bench.output.vblank()
    try bench.settle()
    let second = try box.present()
    _ = box.newEvents()
    bench.output.plug(false)
    try bench.settle()
    #expect(box.newEvents() == [lost(second, .rejected(.output)), released(first)], "its commit went down")
    #expect(box.guest.output == nil)
    let parked = try #require(bench.parked.first)
    #expect(parked.commits.count == 1)
    parked.vblank()
    bench.output.plug(true)
    try bench.settle()
    // The blank of the unplugged output, then the picture.
    bench.output.vblank()
    #expect(try bench.run { bench.output.commits.count == 4 })
    bench.output.vblank()
    let third = try box.present()
    #expect(try bench.run { bench.output.commits.count == 5 })
    bench.output.vblank()
    try bench.settle()
    #expect(box.newEvents() == [flipped(third, 104), released(second)])
  }

  @Test func `a region continues with the next daemon connection, without a change for its guest`() throws {
    let bench = try Bench()
    let box = try RegionClient(bench)
    try box.attach()
    let first = try box.present()
    bench.output.vblank()
    let second = try box.present()
    let third = try box.present()
    box.client.leave()
    try bench.settle()
    #expect(box.guest.state == .waiting)
    #expect(box.newEvents() == [flipped(first, 101)])
    let next = try bench.client("box")
    try RegionClient.give(next, box.memory, box.layout, box.doorbell.fd.raw, nil)
    try bench.settle()
    #expect(box.guest.state == .presenting)
    #expect(
      box.newEvents() == [
        released(first), lost(second, .lost), released(second),
      ])
    bench.output.vblank()
    bench.output.vblank()
    try bench.settle()
    #expect(box.newEvents() == [flipped(third, 103)])
  }

  @Test func `a frame that no output can show is refused, and its slot is released`() throws {
    let bench = try Bench()
    bench.output.importRefusal = .rejected("no /dev/udmabuf")
    let box = try RegionClient(bench)
    try box.attach()
    let frame = try box.present()
    #expect(box.newEvents() == [lost(frame, .rejected(.output)), released(frame)])
    bench.output.importRefusal = nil
    _ = try box.present()
    #expect(bench.output.commits.count == 1)
  }

  @Test func `a region must be sealed memory of its size with eventfds, else the client gets the reason and continues`()
    throws
  {
    let bench = try Bench()
    let client = try bench.client()
    let layout = try #require(RegionLayout(fittingFrameBytes: 4096, slotCount: 3))
    let memory = SharedFD(try layout.makeMemory())
    let open = SharedFD(try OwnedFD.open("/dev/zero", flags: 2))
    let doorbell = try EventFD()
    func refusal() throws -> String {
      guard case .error(let error, request: 0)? = try client.messages().last, error.code == .refused else { return "" }
      return error.text
    }
    try RegionClient.give(client, open, layout, doorbell.fd.raw, nil)
    #expect(try refusal().contains("not sealed against shrinking"))
    try RegionClient.give(client, memory, layout, open.raw, nil)
    #expect(try refusal() == "the region's doorbell is not an eventfd")
    try RegionClient.give(client, memory, layout, doorbell.fd.raw, open.raw)
    #expect(try refusal() == "the guest's doorbell is not an eventfd")
    let region = AttachRegion(
      scanout: 0, regionByteCount: UInt64.max, slotCount: 3, sharesClock: false, hasGuestDoorbell: false)
    try client.send(.region(region), fds: [memory.raw, doorbell.fd.raw])
    #expect(try refusal().hasPrefix("invalid region: 3 slots in 18446744073709551615 bytes"))
    try RegionClient.give(client, memory, layout, doorbell.fd.raw, nil)
    #expect(try client.messages() == [.regionNews(scanout: 0)])
  }

  @Test func `a scanout has at most one region, and then does not accept PRESENT`() throws {
    for isPresent in [true, false] {
      let bench = try Bench()
      let box = try RegionClient(bench)
      if isPresent {
        try box.client.makeBuffer(1)
        try box.client.present(1, 1)
      } else {
        try RegionClient.give(box.client, box.memory, box.layout, box.doorbell.fd.raw, nil)
      }
      guard case .error(let error, request: _)? = try box.client.messages().last else {
        Issue.record("no error")
        continue
      }
      #expect(error.code == .malformed)
      #expect(try box.client.ends())
    }
  }

  @Test func `a region whose guest rings endlessly is checked at most 2000 times a second while there are others`()
    throws
  {
    let bench = try Bench([FakeOutput("first"), FakeOutput("second")])
    let good = try bench.client("good", outputs: ["first"])
    let box = try RegionClient(bench)
    try box.attach()
    for _ in 0..<400 {
      box.doorbell.signal()
      try bench.loop.runOnce(timeoutMilliseconds: 0)
    }
    box.doorbell.signal()
    #expect(try bench.settle() == 0, "its doorbell is not listened to")
    let slot = try #require(box.guest.acquire())
    let picture = try #require(FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888))
    _ = try box.guest.present(slot, picture, readyNanoseconds: 0)
    #expect(try bench.run { bench.outputs[1].commits.count == 1 })
    try good.makeBuffer(1)
    try good.present(1, 1)
    #expect(bench.output.commits.count == 1)
  }

  @Test
  func `after a burst of refusals two frames of a region are refused per vblank, and valid ones are shown`()
    throws
  {
    let bench = try Bench()
    bench.output.refusals = Array(repeating: .rejected("not today"), count: 1_000_000)
    let box = try RegionClient(bench)
    try box.attach()
    let begun = monotonicNanoseconds()
    var refused = 0
    while monotonicNanoseconds() - begun < 250_000_000 {
      try box.presentAll()
      try bench.loop.runOnce(timeoutMilliseconds: 0)
      for case .done(_, _, .rejected(.output), _, _) in box.newEvents() { refused += 1 }
    }
    let seconds = Double(monotonicNanoseconds() - begun) / 1e9
    #expect(refused > 8 && Double(refused) <= 8 + 2 + 2 * 64 * seconds, "\(refused) in \(seconds) s")
    bench.output.refusals = []
    #expect(
      try bench.run {
        _ = box.newEvents()
        try box.presentAll()
        return bench.output.commits.count == 1
      })
  }

  @Test func `a region with endless torn entries is checked at most about 100 times a second`() throws {
    let bench = try Bench()
    let box = try RegionClient(bench)
    try box.attach()
    let memory = try Mapping(fd: box.memory.raw, byteCount: box.layout.slotsOffset)
    let field = try #require(MemoryLayout<framepath_region_header>.offset(of: \.guest_offset))
    let guest = Int(memory.bytes.loadUnaligned(fromByteOffset: field, as: UInt32.self))
    let tail = guest + (try #require(MemoryLayout<framepath_region_guest>.offset(of: \.present_tail)))
    let announced = memory.bytes.loadUnaligned(fromByteOffset: tail, as: UInt64.self)
    // Several at a time, because a busy machine makes few rounds; fewer than the ring holds.
    let step: UInt64 = 16
    var torn: UInt64 = 0
    let begun = monotonicNanoseconds()
    while monotonicNanoseconds() - begun < 250_000_000 {
      torn += step
      memory.base.storeBytes(of: announced + torn, toByteOffset: tail, as: UInt64.self)
      box.doorbell.signal()
      try bench.loop.runOnce(timeoutMilliseconds: 0)
    }
    let seconds = Double(monotonicNanoseconds() - begun) / 1e9
    // An overrun is refused as one.
    #expect(torn > 1000, "or this machine is too slow to tell")
    // One check refuses as many as were announced since the check before, at most the ring.
    let most = Double(step) * 2 * (8 + 64 * seconds)
    #expect(Double(box.guest.refusalCount) <= most, "of \(torn) in \(seconds) s")
  }

  // MARK: - Memory that is counted

  /// A picture of 64x48 pixels.
  private var picture: Int { 64 * 48 * 4 }

  @Test
  func `counted regions use as many slots as memory allows`()
    throws
  {
    let bench = try Bench()
    try bench.server?.apply("[memory]\nmax-per-vm = \(2 * picture)\nimports = \"counted\"")
    let box = try RegionClient(bench)
    try box.attach()
    let first = try box.present()
    let second = try box.present()
    let third = try box.present()
    bench.output.vblank()
    try bench.settle()
    #expect(box.newEvents() == [flipped(first, 101), lost(third, .rejected(.noMemory))])
    let vm = try #require(try box.client.readStatus().vms.first)
    #expect(
      vm.scanouts[0].pathReason?.contains("12288 bytes more than the 24576 held would exceed the limit of 24576 bytes")
        == true)
    #expect(vm.bufferBytes == 24576)
    #expect(bench.lines.contains { $0.contains("there is not enough memory for the slot (12288 bytes more than ") })
    bench.output.vblank()
    try bench.settle()
    #expect(box.newEvents() == [flipped(second, 102), released(first)])
    // A slot that was counted is counted once.
    let again = try box.present()
    #expect(again.slot == first.slot)
    bench.output.vblank()
    try bench.settle()
    #expect(box.newEvents() == [flipped(again, 103), released(second)])
    // It retries after at most a second.
    var events: [RegionEvent] = []
    #expect(
      try bench.run {
        events += box.newEvents()
        return events == [released(third)]
      })
    #expect(try box.present().slot == third.slot)
    #expect(box.newEvents() == [lost((third.slot, 5), .rejected(.noMemory))])
  }

  @Test func `a region gets memory when another client returns it, and returns all at its end`() throws {
    let bench = try Bench([FakeOutput("first"), FakeOutput("second")])
    try bench.server?.apply(
      "[memory]\ncapacity = \(picture)\nmax-per-vm = \(picture)\noverhead = 0\nimports = \"counted\"")
    let first = try RegionClient(bench, name: "first")
    let second = try RegionClient(bench, name: "second")
    try first.attach()
    try second.attach()
    let shown = try first.present()
    bench.outputs[0].vblank()
    let early = try second.present()
    #expect(first.newEvents() == [flipped(shown, 101)])
    #expect(second.newEvents() == [lost(early, .rejected(.noMemory))])
    #expect(
      try pathReasons(second.client).contains { $0.contains("all clients hold 12288 of the daemon's 12288 bytes") })
    first.client.leave()
    try bench.settle()
    // The blank that takes its picture off the screen.
    bench.outputs[0].vblank()
    let late = try second.present()
    bench.outputs[1].vblank()
    try bench.settle()
    #expect(second.newEvents() == [flipped(late, 101)])
    #expect(try !pathReasons(second.client).contains { $0.contains("all hold") })
    second.client.leave()
    try bench.settle()
    bench.outputs[1].vblank()
    let observer = try bench.client("observer")
    let status = try observer.readStatus()
    #expect((status.bufferBytes, status.bufferCapacityBytes) == (0, 12288))
  }

  @Test func `a region is not charged if imports are free`() throws {
    let bench = try Bench()
    try bench.server?.apply("[memory]\nmax-per-vm = 4096")
    let box = try RegionClient(bench)
    try box.attach()
    _ = try box.present()
    #expect(bench.output.commits.count == 1)
    #expect(try box.client.readStatus().vms.map(\.bufferBytes) == [0])
  }
}
