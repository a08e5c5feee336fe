import CFramepathABI
import Glibc
public import GraphicsMemory
public import LinuxIO
import Scanout

/// The host's side of a region.
///
/// Owned by one thread. No data of a guest can make it trap, loop, or access another region. The per-frame calls do not
/// allocate.
@safe public final class RegionHost {
  /// The layout of the region.
  public let layout: RegionLayout
  /// The region: a memfd sealed against shrinking, growing and further seals.
  public let fd: SharedFD
  /// The guest's flags from its attach.
  public internal(set) var guestFlags: RegionGuestFlags = []
  /// Whether a guest is attached.
  public var isAttached: Bool { epoch != 0 }
  /// The number of entries refused since the region was created.
  public private(set) var refusalCount: UInt64 = 0

  /// Whether memory of its header or rings was missing when it was accessed: the client has taken it away.
  public var isSpoilt: Bool { mapping.isSpoilt }

  /// Whether the doorbell is quiet.
  public private(set) var isDoorbellQuiet = false

  /// See `takeHeldFrames`.
  var heldFrames: [RegionHeldFrame] = []

  private let mapping: Mapping
  let words: RegionWords
  private var header: HostHeader
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

  /// A host for existing memory: a client's, or a region that another host has served.
  ///
  /// Only one host may serve a region at a time. An attached guest sees no change: `takeHeldFrames` returns the slots
  /// that the former host held.
  ///
  /// - Parameters:
  ///   - memory: `layout.regionByteCount` bytes, sealed against shrinking. Its content is not trusted.
  /// - Throws: EINVAL if the memory can be truncated, or has another size.
  public init(memory: SharedFD, name: String, layout: RegionLayout, sharesClock: Bool = false) throws(SystemError) {
    self.layout = layout
    guard MemFD.seals(of: memory.raw)?.contains(.shrink) == true else {
      throw SystemError(call: "region", code: EINVAL, subject: "its memory is not sealed against shrinking")
    }
    guard try memory.byteCount() == layout.regionByteCount else {
      throw SystemError(call: "region", code: EINVAL, subject: "its size is not \(layout.regionByteCount) bytes")
    }
    // The pixels belong to the guest; only the part before them is mapped.
    mapping = try Mapping(fd: memory.raw, byteCount: layout.slotsOffset)
    fd = memory
    slots = HostSlots(count: layout.slotCount)
    // SAFETY: rings and headers lie below slotsOffset by the layout's making; the mapping lives as long as this object.
    words = unsafe RegionWords(base: mapping.base, layout: layout, isWeaklyOrdered: false)
    header = unsafe HostHeader(
      base: mapping.base, words: words, layout: layout, name: name, sharesClock: sharesClock)
    header.publish()
    takeOver()
    // The former host's timers no longer exist.
    words.doorbell.store(0)
    framepath_region_publish()
  }

  /// The attached guest's frames held by the former host, oldest first; returned once.
  public func takeHeldFrames() -> [RegionHeldFrame] {
    defer { heldFrames = [] }
    return heldFrames
  }

  /// Publishes the output's mode to guests; nil without a monitor.
  public func setOutput(_ output: RegionOutput?) { header.setOutput(output) }

  /// Publishes the host's state to guests.
  public func setState(_ state: RegionHostState) { header.setState(state) }

  /// Stops serving: the state becomes `waiting`, unless another host has changed it.
  public func leave() {
    words.doorbell.store(0)
    header.leave()
  }

  /// Makes the doorbell quiet. Only for a host that will check the ring by itself.
  public func silenceDoorbell() {
    if isDoorbellQuiet || epoch == 0 { return }
    isDoorbellQuiet = true
    words.doorbell.store(DoorbellHint.word(epoch: epoch, isQuiet: true))
  }

  /// Requests the doorbell again. Afterwards check the ring again, for frames presented meanwhile.
  public func wantDoorbell() {
    isDoorbellQuiet = false
    var ring = words.present
    var request = DoorbellRequest()
    while !request.step(epoch: epoch, in: &ring) {}
  }

  /// Restores a header that the guest has overwritten; returns whether it was.
  ///
  /// The rings' words are not restored: an attach writes them.
  @discardableResult
  public func repair() -> Bool { header.repair() }

  /// The pages of a slot, for an import.
  public func memory(of slot: Int) -> MemoryRange {
    MemoryRange(fd: fd.raw, offset: layout.slotOffset(slot), byteCount: layout.slotByteCount)
  }

  /// Checks whether a client has attached or detached since the last call. Call it before `takeFrame`.
  public func checkAttach() -> RegionAttach? {
    let raw = words.attach.load()
    guard raw != lastAttach else { return nil }
    lastAttach = raw
    let word = AttachWord(rawValue: raw)
    // The former client's words are no longer used.
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

  /// Takes the available frames: as many as a guest that follows the rules can announce at once.
  ///
  /// - Returns: whether there may be more; serve others first.
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

  /// Sends the outcome of the frame in a held slot.
  public func done(_ slot: Int, _ outcome: RegionOutcome, timeNanoseconds: UInt64 = 0, sequence: UInt64 = 0) {
    guard slots.holds.indices.contains(slot), let hold = slots.holds[slot], hold.epoch == epoch else { return }
    push(
      .done(slot: slot, frame: hold.frame, outcome, timeNanoseconds: timeNanoseconds, sequence: sequence))
  }

  /// Releases a slot to the guest.
  public func release(_ slot: Int) {
    guard let frame = slots.release(slot, epoch: epoch), epoch != 0 else { return }
    push(.released(slot: slot, frame: frame))
  }

  /// Bit k is set if the host holds slot k.
  public var heldSlots: UInt64 { slots.heldMask }

  /// A full ring is the guest's fault: it loses the event.
  private func push(_ event: RegionEvent) {
    var ring = words.release
    _ = release.push(ReleaseEntry(event: event), in: &ring)
  }

  /// Checks the entry, which is a private copy from here on.
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

  /// The frame of an entry whose slot number was checked.
  func picture(of entry: PresentEntry) -> Result<RegionFrame, RegionReason> {
    let slot = Int(entry.slot)
    guard let format = PixelFormat(fourcc: entry.fourcc),
      let picture = FrameLayout(
        width: Int(entry.width), height: Int(entry.height), strideBytes: Int(entry.strideBytes), format: format),
      picture.byteCount <= layout.slotByteCount
    else { return .failure(.badLayout) }
    guard entry.damageCount <= UInt32(PresentEntry.damageCapacity) else { return .failure(.badDamage) }
    return .success(
      RegionFrame(
        slot: slot, frame: entry.frame, layout: picture, damage: entry.damage(within: picture.bounds),
        readyNanoseconds: entry.readyNanoseconds))
  }

  /// Refuses a frame whose slot has just been taken.
  private func reject(_ slot: Int, _ reason: RegionReason) -> RegionTake {
    done(slot, .rejected(reason))
    release(slot)
    return refuse(reason)
  }

  /// Rejects an entry whose slot was not taken.
  private func reject(_ reason: RegionReason) {
    push(.done(slot: Int(entry.slot), frame: entry.frame, .rejected(reason), timeNanoseconds: 0, sequence: 0))
    // The guest gave up the slot with the entry; it is released unless the host holds it for another frame.
    if reason != .slotHeld { push(.released(slot: Int(entry.slot), frame: entry.frame)) }
  }

  private func refuse(_ reason: RegionReason) -> RegionTake {
    refusalCount &+= 1
    epochRefusals &+= 1
    words.refusals.store(UInt64(epochRefusals) << 32 | UInt64(reason.rawValue))
    return .refused(reason)
  }
}
