import CFramepathABI
import Glibc

/// The host's part of a region's header: its constants, the output and the state.
///
/// A guest may overwrite the header, so the host keeps a copy. The words of the rings and of the attach are not part
/// of it.
@safe struct HostHeader {
  private var content = framepath_region_header()
  private let base: UnsafeMutableRawPointer
  private let output: SharedWord
  private let state: SharedWord

  /// - Parameters:
  ///   - base: page-aligned; a header is mapped for this value's life.
  ///   - words: of the same mapping.
  ///   - name: of the VM; cut after 63 bytes.
  @unsafe init(
    base: UnsafeMutableRawPointer, words: RegionWords, layout: RegionLayout, name: String, sharesClock: Bool
  ) {
    unsafe self.base = base
    output = words.output
    state = words.state
    content.magic = FRAMEPATH_REGION_MAGIC
    content.version = FRAMEPATH_REGION_MAJOR << 16 | FRAMEPATH_REGION_MINOR
    content.header_bytes = UInt32(RegionLayout.headerByteCount)
    content.features = sharesClock ? UInt64(FRAMEPATH_REGION_SHARED_CLOCK.rawValue) : 0
    content.region_bytes = UInt64(layout.regionByteCount)
    content.slots_offset = UInt64(layout.slotsOffset)
    content.slot_bytes = UInt64(layout.slotByteCount)
    content.slot_count = UInt32(layout.slotCount)
    content.guest_offset = UInt32(layout.guestOffset)
    content.present_offset = UInt32(layout.presentOffset)
    content.present_entries = UInt32(layout.presentEntryCount)
    content.present_entry_bytes = UInt32(RegionLayout.presentEntryByteCount)
    content.release_offset = UInt32(layout.releaseOffset)
    content.release_entries = UInt32(layout.releaseEntryCount)
    content.release_entry_bytes = UInt32(RegionLayout.releaseEntryByteCount)
    let nameBytes = Array(name.utf8.prefix(63))
    unsafe withUnsafeMutableBytes(of: &content.name) { space in unsafe space.copyBytes(from: nameBytes) }
  }

  /// Writes the constants, unless a former host has written the same ones.
  mutating func publish() {
    if !isWhole { writeConstants() }
  }

  /// Publishes the output's mode; nil without a monitor.
  mutating func setOutput(_ new: RegionOutput?) {
    content.output = new?.word ?? 0
    output.store(content.output)
  }

  /// Publishes the host's state.
  mutating func setState(_ new: RegionHostState) {
    content.state = UInt64(new.rawValue)
    state.store(content.state)
  }

  /// The state becomes `waiting`, unless another host has changed it.
  func leave() { state.replace(content.state, by: UInt64(RegionHostState.waiting.rawValue)) }

  /// Restores the parts that the guest has overwritten; returns whether there were any.
  mutating func repair() -> Bool {
    if isWhole, output.load() == content.output, state.load() == content.state { return false }
    writeConstants()
    output.store(content.output)
    state.store(content.state)
    return true
  }

  /// Whether the constant part is intact.
  private var isWhole: Bool {
    mutating get {
      unsafe withUnsafeBytes(of: &content) { wanted in
        guard let first = wanted.baseAddress else { return false }
        // SAFETY: the mapping is longer than a header. The bytes are only compared, once.
        return unsafe memcmp(first, base, HostHeader.constantByteCount) == 0
      }
    }
  }

  private static let constantByteCount =
    MemoryLayout<framepath_region_header>.offset(of: \.acknowledged) ?? MemoryLayout<UInt64>.size

  /// Writes the constant part, the magic number last.
  private mutating func writeConstants() {
    let magicByteCount = MemoryLayout<UInt64>.size
    unsafe SharedWord(base).store(0)
    framepath_region_publish()
    unsafe withUnsafeBytes(of: &content) { bytes in
      guard let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[magicByteCount...]).baseAddress else { return }
      // SAFETY: the mapping is longer than a header.
      unsafe (base + magicByteCount).copyMemory(
        from: rest, byteCount: HostHeader.constantByteCount - magicByteCount)
    }
    framepath_region_publish()
    unsafe SharedWord(base).store(content.magic)
  }
}
