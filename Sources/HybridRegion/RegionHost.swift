import CFramepathABI
import Glibc
public import GraphicsMemory
public import LinuxIO
public import Scanout

/// A frame that a guest has handed over, with every number checked.
public struct RegionFrame {
  /// The slot that holds it.
  public var slot: Int
  /// The guest's number for it; rises within an attach.
  public var frame: UInt64
  /// The picture, as it lies from the slot's first byte on.
  public var layout: FrameLayout
  /// What changed since the guest's last frame; empty means everything.
  public var damage: DamageRegion
  /// The guest's CLOCK_MONOTONIC at the hand-over.
  public var readyNanoseconds: UInt64
}

/// What `RegionHost.takeFrame` found.
public enum RegionTake {
  /// Nothing new.
  case none
  /// A frame; its slot is the host's until `release`.
  case frame(RegionFrame)
  /// An entry that made no sense: that frame is lost. The guest has been told, where it could be.
  case refused(RegionReason)
}

/// What `RegionHost.checkAttach` found.
public enum RegionAttach: Equatable, Sendable {
  /// Another client has begun.
  case attached(RegionGuestFlags)
  /// The client has let go of the region.
  case detached
  /// A client of another version wants to begin.
  case refused(RegionReason)
}

/// The host's side of a region.
///
/// Owned by one thread. Nothing that a guest writes anywhere in the region can trap it, make it loop, or reach another
/// region. The per-frame calls allocate nothing.
@safe public final class RegionHost {
  /// Where everything lies.
  public let layout: RegionLayout
  /// The region: a memfd sealed against shrinking, growing and further seals.
  public let fd: SharedFD
  /// What the guest said at its attach.
  public internal(set) var guestFlags: RegionGuestFlags = []
  /// Whether a guest is attached.
  public var isAttached: Bool { epoch != 0 }
  /// Entries refused since the region was made.
  public private(set) var refusalCount: UInt64 = 0

  /// Whether the guest is told not to ring.
  public private(set) var isDoorbellQuiet = false

  /// See `takeHeldFrames`.
  var heldFrames: [RegionHeldFrame] = []

  private let mapping: Mapping
  let words: RegionWords
  /// The constant part of the header, and the host's words that no event changes.
  private var header = framepath_region_header()
  var slots: HostSlots
  var epoch: UInt32 = 0
  var lastAttach: UInt64 = 0
  var epochRefusals: UInt32 = 0
  var present = RingConsumer<PresentEntry>(epoch: 0)
  var release = RingProducer<ReleaseEntry>(epoch: 0)
  private var entry = PresentEntry()

  /// Makes a region.
  ///
  /// - Parameters:
  ///   - name: of the VM; cut after 63 bytes.
  ///   - layout: its size and slots.
  ///   - sharesClock: whether its guests read this machine's CLOCK_MONOTONIC.
  public convenience init(name: String, layout: RegionLayout, sharesClock: Bool = false) throws(SystemError) {
    let memory = SharedFD(try layout.makeMemory())
    try self.init(memory: memory, name: name, layout: layout, sharesClock: sharesClock)
  }

  /// The host of memory that is there already: a client's own, or a region that another host has served.
  ///
  /// Only one host may serve a region at a time. Where a guest is attached, it notices nothing: `takeHeldFrames` tells what
  /// the former host had of it.
  ///
  /// - Parameters:
  ///   - memory: `layout.regionByteCount` bytes, sealed against shrinking. What stands in it is believed as little as
  ///     what a guest writes.
  /// - Throws: EINVAL where the memory could be cut off under a reader, or has another size.
  public init(memory: SharedFD, name: String, layout: RegionLayout, sharesClock: Bool = false) throws(SystemError) {
    self.layout = layout
    guard MemFD.seals(of: memory.raw)?.contains(.shrink) == true else {
      throw SystemError(call: "region", code: EINVAL, subject: "its memory is not sealed against shrinking")
    }
    guard try memory.byteCount() == layout.regionByteCount else {
      throw SystemError(call: "region", code: EINVAL, subject: "its memory has not \(layout.regionByteCount) bytes")
    }
    // The pixels are the guest's business; only what lies before them is mapped.
    mapping = try Mapping(fd: memory.raw, byteCount: layout.slotsOffset)
    fd = memory
    slots = HostSlots(count: layout.slotCount)
    // SAFETY: rings and headers lie below slotsOffset by the layout's making; the mapping lives as long as this object.
    words = unsafe RegionWords(base: mapping.base, layout: layout, isWeaklyOrdered: false)
    header.version = FRAMEPATH_REGION_MAJOR << 16 | FRAMEPATH_REGION_MINOR
    header.header_bytes = UInt32(RegionLayout.headerByteCount)
    header.features = sharesClock ? UInt64(FRAMEPATH_REGION_SHARED_CLOCK.rawValue) : 0
    header.region_bytes = UInt64(layout.regionByteCount)
    header.slots_offset = UInt64(layout.slotsOffset)
    header.slot_bytes = UInt64(layout.slotByteCount)
    header.slot_count = UInt32(layout.slotCount)
    header.guest_offset = UInt32(layout.guestOffset)
    header.present_offset = UInt32(layout.presentOffset)
    header.present_entries = UInt32(layout.presentEntryCount)
    header.present_entry_bytes = UInt32(RegionLayout.presentEntryByteCount)
    header.release_offset = UInt32(layout.releaseOffset)
    header.release_entries = UInt32(layout.releaseEntryCount)
    header.release_entry_bytes = UInt32(RegionLayout.releaseEntryByteCount)
    let nameBytes = Array(name.utf8.prefix(63))
    unsafe withUnsafeMutableBytes(of: &header.name) { space in unsafe space.copyBytes(from: nameBytes) }
    header.magic = FRAMEPATH_REGION_MAGIC
    if !isWhole { writeHeader() }
    takeOver()
    // The former host's timers are gone with it.
    words.doorbell.store(0)
    framepath_region_publish()
  }

  /// What a former host held of the guest that is attached, the oldest first; once.
  public func takeHeldFrames() -> [RegionHeldFrame] {
    defer { heldFrames = [] }
    return heldFrames
  }

  /// Tells guests of the output's mode; nil: there is none now.
  public func setOutput(_ output: RegionOutput?) {
    header.output = output?.word ?? 0
    words.output.store(header.output)
  }

  /// Tells guests what stands behind the region.
  public func setState(_ state: RegionHostState) {
    header.state = UInt64(state.rawValue)
    words.state.store(header.state)
  }

  /// Stops serving: guests read that there is no daemon now, unless another host has said something else meanwhile.
  public func leave() {
    words.doorbell.store(0)
    words.state.replace(header.state, by: UInt64(RegionHostState.waiting.rawValue))
  }

  /// Tells the guest not to ring. Only for a host that will look at the ring by itself, whatever the guest does.
  public func silenceDoorbell() {
    if isDoorbellQuiet || epoch == 0 { return }
    isDoorbellQuiet = true
    words.doorbell.store(DoorbellHint.word(epoch: epoch, isQuiet: true))
  }

  /// Tells the guest to ring again. What it presented meanwhile is in the ring: look once more.
  public func wantDoorbell() {
    isDoorbellQuiet = false
    var ring = words.present
    var request = DoorbellRequest()
    while !request.step(epoch: epoch, in: &ring) {}
  }

  /// Writes the header again where the guest has spoilt it; true where it had.
  ///
  /// The words of the rings are left as they are: an attach makes them anew.
  @discardableResult
  public func repair() -> Bool {
    if isWhole, words.output.load() == header.output, words.state.load() == header.state { return false }
    writeHeader()
    words.output.store(header.output)
    words.state.store(header.state)
    return true
  }

  /// Whether the constant part stands as it should.
  private var isWhole: Bool {
    unsafe withUnsafeBytes(of: &header) { wanted in
      guard let first = wanted.baseAddress else { return false }
      // SAFETY: the mapping is longer than a header. The bytes are compared once, whatever they are.
      return unsafe memcmp(first, mapping.base, RegionHost.constantByteCount) == 0
    }
  }

  private static let constantByteCount =
    MemoryLayout<framepath_region_header>.offset(of: \.acknowledged) ?? MemoryLayout<UInt64>.size

  /// The magic number comes last.
  private func writeHeader() {
    let magicByteCount = MemoryLayout<UInt64>.size
    unsafe SharedWord(mapping.base).store(0)
    framepath_region_publish()
    unsafe withUnsafeBytes(of: &header) { bytes in
      guard let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[magicByteCount...]).baseAddress else { return }
      // SAFETY: the mapping is longer than a header.
      unsafe (mapping.base + magicByteCount).copyMemory(
        from: rest, byteCount: RegionHost.constantByteCount - magicByteCount)
    }
    framepath_region_publish()
    unsafe SharedWord(mapping.base).store(FRAMEPATH_REGION_MAGIC)
  }

  /// The pages of a slot, for an import.
  public func memory(of slot: Int) -> MemoryRange {
    MemoryRange(fd: fd.raw, offset: layout.slotOffset(slot), byteCount: layout.slotByteCount)
  }

  /// Looks whether a client has come or gone since the last look. Call it before `takeFrame`.
  public func checkAttach() -> RegionAttach? {
    let raw = words.attach.load()
    guard raw != lastAttach else { return nil }
    lastAttach = raw
    let word = AttachWord(rawValue: raw)
    // Another client's words are no longer believed, whatever comes.
    epoch = 0
    guard word.epoch != 0 else { return .detached }
    guard word.major == FRAMEPATH_REGION_MAJOR else {
      acknowledge(word.epoch, FRAMEPATH_REGION_BAD_VERSION.rawValue)
      return .refused(.badVersion)
    }
    epoch = word.epoch
    isDoorbellQuiet = false
    guestFlags = word.flags
    epochRefusals = 0
    slots.begin()
    present = RingConsumer(epoch: epoch)
    release = RingProducer(epoch: epoch)
    let start = EpochWord(epoch: epoch, position: 0).rawValue
    words.presentHead.store(start)
    words.releaseTail.store(start)
    words.refusals.store(0)
    words.heldAtAttach.store(slots.heldMask)
    acknowledge(epoch, FRAMEPATH_REGION_OK.rawValue)
    return .attached(word.flags)
  }

  private func acknowledge(_ epoch: UInt32, _ reason: UInt32) {
    framepath_region_publish()
    words.acknowledged.store(UInt64(epoch) << 32 | UInt64(reason))
  }

  /// Takes what has come: as much as a guest that keeps to the rules can have announced at once.
  ///
  /// - Returns: whether there may be more. Then it is the turn of others first.
  public func takeFrames(_ body: (RegionTake) -> Void) -> Bool {
    for _ in 0..<layout.presentEntryCount {
      let take = takeFrame()
      if case .none = take { return false }
      body(take)
    }
    return true
  }

  /// The next frame.
  public func takeFrame() -> RegionTake {
    guard epoch != 0 else { return .none }
    var ring = words.present
    switch present.pop(into: &entry, from: &ring) {
    case .empty, .stale: return .none
    case .torn: return refuse(.torn)
    case .overrun: return refuse(.overrun)
    case .entry: return check()
    }
  }

  /// Tells what became of the frame in a slot that the host holds.
  public func done(_ slot: Int, _ outcome: RegionOutcome, timeNanoseconds: UInt64 = 0, sequence: UInt64 = 0) {
    guard slots.holds.indices.contains(slot), let hold = slots.holds[slot], hold.epoch == epoch else { return }
    push(
      .done(slot: slot, frame: hold.frame, outcome, timeNanoseconds: timeNanoseconds, sequence: sequence))
  }

  /// Gives a slot back to the guest.
  public func release(_ slot: Int) {
    guard let frame = slots.release(slot, epoch: epoch), epoch != 0 else { return }
    push(.released(slot: slot, frame: frame))
  }

  /// Bit k: slot k is the host's.
  public var heldSlots: UInt64 { slots.heldMask }

  /// A ring without room is the guest's own doing: it loses the event.
  private func push(_ event: RegionEvent) {
    var ring = words.release
    _ = release.push(ReleaseEntry(event: event), in: &ring)
  }

  /// The entry is a private copy from here on.
  private func check() -> RegionTake {
    if let reason = slots.hold(entry.slot, frame: entry.frame, epoch: epoch) {
      if reason != .badSlot { reject(reason) }
      return refuse(reason)
    }
    switch picture(of: entry) {
    case .success(let frame): return .frame(frame)
    case .failure(let reason): return reject(Int(entry.slot), reason)
    }
  }

  /// The frame that an entry tells of, its slot's number checked before.
  func picture(of entry: PresentEntry) -> Result<RegionFrame, RegionReason> {
    let slot = Int(entry.slot)
    guard let format = PixelFormat(fourcc: entry.fourcc),
      let picture = FrameLayout(
        width: Int(entry.width), height: Int(entry.height), strideBytes: Int(entry.strideBytes), format: format),
      picture.byteCount <= layout.slotByteCount
    else { return .failure(.badLayout) }
    guard entry.damageCount <= UInt32(PresentEntry.damageCapacity) else { return .failure(.badDamage) }
    var damage = DamageRegion()
    for index in 0..<Int(entry.damageCount) {
      let rect = entry.damage(index)
      damage.add(
        Rect(x: Int(rect.x), y: Int(rect.y), width: Int(rect.width), height: Int(rect.height))
          .intersection(picture.bounds))
    }
    // Damage outside the picture is none; but no damage at all would mean everything.
    if entry.damageCount > 0, damage.isEmpty { damage.add(Rect(width: 1, height: 1)) }
    return .success(
      RegionFrame(
        slot: slot, frame: entry.frame, layout: picture, damage: damage, readyNanoseconds: entry.readyNanoseconds))
  }

  /// Refuses a frame whose slot has just been taken.
  private func reject(_ slot: Int, _ reason: RegionReason) -> RegionTake {
    done(slot, .rejected(reason))
    release(slot)
    return refuse(reason)
  }

  /// Tells of an entry whose slot was not taken.
  private func reject(_ reason: RegionReason) {
    push(.done(slot: Int(entry.slot), frame: entry.frame, .rejected(reason), timeNanoseconds: 0, sequence: 0))
    // The guest gave the slot away with the entry; unless the host holds it for another frame, it has it again.
    if reason != .slotHeld { push(.released(slot: Int(entry.slot), frame: entry.frame)) }
  }

  private func refuse(_ reason: RegionReason) -> RegionTake {
    refusalCount &+= 1
    epochRefusals &+= 1
    words.refusals.store(UInt64(epochRefusals) << 32 | UInt64(reason.rawValue))
    return .refused(reason)
  }
}
