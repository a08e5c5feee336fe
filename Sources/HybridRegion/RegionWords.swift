import CFramepathABI
import LinuxIO

/// The words and the two rings of a mapped region.
@safe struct RegionWords {
  let acknowledged: SharedWord
  let heldAtAttach: SharedWord
  let output: SharedWord
  let state: SharedWord
  let refusals: SharedWord
  let doorbell: SharedWord
  let attach: SharedWord
  let present: MappedRing
  let release: MappedRing
  let presentTail: SharedWord
  let presentHead: SharedWord
  let releaseTail: SharedWord
  let releaseHead: SharedWord

  /// - Parameters:
  ///   - base: page-aligned; `layout.regionByteCount` bytes are mapped for this value's life.
  ///   - layout: made here, or checked against the mapping's size.
  ///   - isWeaklyOrdered: true for a write-combined BAR.
  @unsafe init(base: UnsafeMutableRawPointer, layout: RegionLayout, isWeaklyOrdered: Bool) {
    typealias Header = framepath_region_header
    typealias Guest = framepath_region_guest
    /// SAFETY: every offset below lies in a struct that the layout has placed inside the mapping.
    func word(_ offset: Int?, in start: Int) -> SharedWord { unsafe SharedWord(base + start + (offset ?? 0)) }
    acknowledged = word(MemoryLayout<Header>.offset(of: \.acknowledged), in: 0)
    heldAtAttach = word(MemoryLayout<Header>.offset(of: \.held_at_attach), in: 0)
    output = word(MemoryLayout<Header>.offset(of: \.output), in: 0)
    state = word(MemoryLayout<Header>.offset(of: \.state), in: 0)
    refusals = word(MemoryLayout<Header>.offset(of: \.refusals), in: 0)
    doorbell = word(MemoryLayout<Header>.offset(of: \.doorbell), in: 0)
    presentHead = word(MemoryLayout<Header>.offset(of: \.present_head), in: 0)
    releaseTail = word(MemoryLayout<Header>.offset(of: \.release_tail), in: 0)
    attach = word(MemoryLayout<Guest>.offset(of: \.attach), in: layout.guestOffset)
    presentTail = word(MemoryLayout<Guest>.offset(of: \.present_tail), in: layout.guestOffset)
    releaseHead = word(MemoryLayout<Guest>.offset(of: \.release_head), in: layout.guestOffset)
    present = unsafe MappedRing(
      tail: presentTail, head: presentHead, doorbell: doorbell, entries: base + layout.presentOffset,
      entryCount: layout.presentEntryCount, entryByteCount: RegionLayout.presentEntryByteCount,
      isWeaklyOrdered: isWeaklyOrdered)
    release = unsafe MappedRing(
      tail: releaseTail, head: releaseHead, entries: base + layout.releaseOffset,
      entryCount: layout.releaseEntryCount, entryByteCount: RegionLayout.releaseEntryByteCount,
      isWeaklyOrdered: isWeaklyOrdered)
  }
}

/// `framepath_region_guest.attach`.
struct AttachWord: Equatable {
  var epoch: UInt32
  var major: UInt32
  var flags: RegionGuestFlags

  init(epoch: UInt32, major: UInt32 = FRAMEPATH_REGION_MAJOR, flags: RegionGuestFlags) {
    self.epoch = epoch
    self.major = major
    self.flags = flags
  }

  init(rawValue: UInt64) {
    epoch = UInt32(truncatingIfNeeded: rawValue >> 32)
    major = UInt32(rawValue >> 16 & 0xFFFF)
    flags = RegionGuestFlags(rawValue: UInt16(truncatingIfNeeded: rawValue))
  }

  var rawValue: UInt64 { UInt64(epoch) << 32 | UInt64(major & 0xFFFF) << 16 | UInt64(flags.rawValue) }
}

/// The flags of a guest (`enum framepath_region_guest_flag`).
public struct RegionGuestFlags: OptionSet, Sendable {
  /// The bits.
  public let rawValue: UInt16
  /// A set from its bits.
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// The guest rings the doorbell after every present: the host need not poll.
  public static let rings = RegionGuestFlags(rawValue: UInt16(FRAMEPATH_REGION_RINGS.rawValue))
  /// The guest waits for the host's doorbell.
  public static let listens = RegionGuestFlags(rawValue: UInt16(FRAMEPATH_REGION_LISTENS.rawValue))
}
