import CFramepathABI
public import GraphicsMemory
public import LinuxIO
public import Scanout

/// Why a frame could not be presented.
public enum RegionPresentError: Error, Equatable, Sendable {
  /// The slot was not acquired, or the picture does not fit into it.
  case badFrame
  /// Another client has attached to the region.
  case displaced
  /// The host does not read the ring, or wrote an invalid index.
  case hostFailed
}

/// A guest's side of a region, without waiting; `FramepathGuest` adds devices and waiting.
///
/// Owned by one thread. Data of the host is used only within checked bounds: it can spoil the picture, but cannot make
/// the guest trap, loop, or leave the region.
@safe public final class RegionGuest {
  /// The layout of the region.
  public let layout: RegionLayout
  /// The VM's name.
  public let name: String
  /// Whether the host's flip times are of this machine's CLOCK_MONOTONIC.
  public let sharesClock: Bool
  /// The host's doorbell: peer << 16 | vector.
  public let doorbellValue: UInt32

  private let mapping: Mapping
  private let words: RegionWords
  private var flags: RegionGuestFlags = []
  private var epoch: UInt32 = 0
  private var slots: GuestSlots
  private var present = RingProducer<PresentEntry>(epoch: 0)
  private var release = RingConsumer<ReleaseEntry>(epoch: 0)
  private var entry = ReleaseEntry()

  /// Takes over a mapping of a whole region.
  ///
  /// - Parameter isWeaklyOrdered: true for a write-combined BAR.
  public init(_ mapping: consuming Mapping, isWeaklyOrdered: Bool) throws(RegionError) {
    guard mapping.byteCount >= RegionLayout.headerByteCount else { throw .noRegion }
    // SAFETY: the mapping is page-aligned and longer than a header, as checked above.
    guard unsafe SharedWord(mapping.base).load() == FRAMEPATH_REGION_MAGIC else { throw .noRegion }
    framepath_region_consume()
    var header = framepath_region_header()
    unsafe withUnsafeMutableBytes(of: &header) { space in
      unsafe space.copyMemory(from: UnsafeRawBufferPointer(start: mapping.base, count: space.count))
    }
    layout = try RegionLayout(checking: header, mappedByteCount: mapping.byteCount)
    sharesClock = header.features & UInt64(FRAMEPATH_REGION_SHARED_CLOCK.rawValue) != 0
    doorbellValue = header.doorbell_peer << 16 | (header.doorbell_vector & 0xFFFF)
    name = unsafe withUnsafeBytes(of: &header.name) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    slots = GuestSlots(count: layout.slotCount, heldMask: 0)
    // SAFETY: the layout was checked against the mapping's size; the mapping lives as long as this object.
    words = unsafe RegionWords(base: mapping.base, layout: layout, isWeaklyOrdered: isWeaklyOrdered)
    self.mapping = mapping
  }

  /// Starts to attach, which displaces the current client. `attachResult` reports when the host has seen it.
  public func attach(_ flags: RegionGuestFlags) {
    let old = AttachWord(rawValue: words.attach.load()).epoch
    repeat { epoch = UInt32.random(in: 1...UInt32.max) } while epoch == old
    self.flags = flags
    let start = EpochWord(epoch: epoch, position: 0).rawValue
    words.presentTail.store(start)
    words.releaseHead.store(start)
    framepath_region_publish()
    words.attach.store(AttachWord(epoch: epoch, flags: flags).rawValue)
    framepath_region_publish()
  }

  /// Nil until the host has answered. After `.success`, slots can be acquired.
  public func attachResult() -> Result<Void, RegionReason>? {
    let word = words.acknowledged.load()
    guard UInt32(truncatingIfNeeded: word >> 32) == epoch else { return nil }
    let code = UInt32(truncatingIfNeeded: word)
    guard code == 0 else { return .failure(RegionReason(rawValue: code) ?? .badVersion) }
    framepath_region_consume()
    slots = GuestSlots(count: layout.slotCount, heldMask: words.heldAtAttach.load())
    present = RingProducer(epoch: epoch)
    release = RingConsumer(epoch: epoch)
    return .success(())
  }

  /// Detaches, unless another client has attached.
  public func detach() {
    guard epoch != 0, !isDisplaced else { return }
    words.attach.store(0)
    framepath_region_publish()
    epoch = 0
  }

  /// Whether another client has attached.
  public var isDisplaced: Bool { words.attach.load() != AttachWord(epoch: epoch, flags: flags).rawValue }

  /// The output's mode; nil without a monitor.
  public var output: RegionOutput? { RegionOutput(word: words.output.load()) }

  /// The state of the host side.
  public var state: RegionHostState {
    RegionHostState(rawValue: UInt32(truncatingIfNeeded: words.state.load())) ?? .starting
  }

  /// The number of entries that the host refused since the attach.
  public var refusalCount: Int { Int(words.refusals.load() >> 32) }

  /// Takes the free slot with the newest picture; nil if none is free.
  public func acquire() -> Int? { slots.acquire() }

  /// How many presents ago the slot's picture was new: 1 for the last one; 0 if its content is unknown.
  public func age(of slot: Int) -> Int { Int(clamping: slots.age(slot)) }

  /// Returns an acquired slot without presenting it.
  public func abandon(_ slot: Int) { slots.abandon(slot) }

  /// The number of slots that the host holds.
  public var heldCount: Int { slots.heldCount }

  /// The memory of an acquired slot; valid while this object lives.
  public func pixels(of slot: Int) -> UnsafeMutableRawBufferPointer {
    precondition(slot >= 0 && slot < layout.slotCount, "a slot of the region")
    // SAFETY: the layout has placed every slot inside the mapping.
    return unsafe UnsafeMutableRawBufferPointer(
      start: mapping.base + layout.slotOffset(slot), count: layout.slotByteCount)
  }

  /// Presents an acquired slot. Afterwards ring the doorbell if `wantsDoorbell`.
  ///
  /// - Parameters:
  ///   - picture: the layout of the picture in the slot; its offset is 0.
  ///   - damage: the changes since the last present; parts outside the picture are ignored.
  /// - Returns: the frame's number.
  public func present(
    _ slot: Int, _ picture: FrameLayout, damage: Damage = .full, readyNanoseconds: UInt64
  ) throws(RegionPresentError) -> UInt64 {
    guard slots.isDrawing(slot), picture.offset == 0, picture.byteCount <= layout.slotByteCount else {
      throw .badFrame
    }
    guard !isDisplaced else { throw .displaced }
    let frame = slots.nextFrame
    var entry = PresentEntry()
    entry.frame = frame
    entry.readyNanoseconds = readyNanoseconds
    entry.slot = UInt32(slot)
    entry.width = UInt32(picture.width)
    entry.height = UInt32(picture.height)
    entry.strideBytes = UInt32(picture.strideBytes)
    entry.fourcc = picture.format.fourcc
    entry.setDamage(damage, within: picture.bounds)
    // Publish the pixels before the entry.
    framepath_region_publish()
    var ring = words.present
    guard present.push(entry, in: &ring) == .pushed else { throw .hostFailed }
    framepath_region_publish()
    slots.presented(slot)
    return frame
  }

  /// Whether to ring for the last present; false while the host checks the ring anyway.
  public func wantsDoorbell() -> Bool {
    var ring = words.present
    var question = DoorbellQuestion()
    while true {
      if let answer = question.step(epoch: epoch, in: &ring) { return answer }
    }
  }

  /// The host's next event, or nil. At most one ring's length is scanned.
  public func nextEvent() -> RegionEvent? {
    var ring = words.release
    for _ in 0..<layout.releaseEntryCount {
      switch release.pop(into: &entry, from: &ring) {
      case .empty, .stale: return nil
      case .torn, .overrun: continue
      case .entry: break
      }
      guard let event = entry.event else { continue }
      if case .released(let slot, let frame) = event, !slots.released(slot, frame: frame) { continue }
      return event
    }
    return nil
  }
}
