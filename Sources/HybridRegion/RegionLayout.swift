import CFramepathABI
public import LinuxIO

/// The layout of a region. Offsets and sizes are bytes.
public struct RegionLayout: Equatable, Sendable {
  /// The size of the region: a power of two.
  public let regionByteCount: Int
  /// The offset of the first slot.
  public let slotsOffset: Int
  /// The distance from one slot to the next.
  public let slotByteCount: Int
  /// The number of slots, 1 to 16.
  public let slotCount: Int
  let guestOffset: Int
  let presentOffset: Int
  let presentEntryCount: Int
  let releaseOffset: Int
  let releaseEntryCount: Int

  /// The most slots that a region can have.
  public static let maxSlotCount = Int(FRAMEPATH_REGION_MAX_SLOTS)
  /// The size of the largest region.
  public static let maxByteCount = 1 << 32
  /// Offset and size of a slot are multiples of this.
  static let alignment = Int(FRAMEPATH_REGION_ALIGNMENT)
  static let presentEntryByteCount = MemoryLayout<framepath_region_present>.size
  static let releaseEntryByteCount = MemoryLayout<framepath_region_release>.size
  static let headerByteCount = MemoryLayout<framepath_region_header>.size
  static let guestByteCount = MemoryLayout<framepath_region_guest>.size

  /// A region of a given size, divided evenly among its slots.
  ///
  /// - Parameters:
  ///   - regionByteCount: a power of two of at most 4 GiB.
  ///   - slotCount: 1 to 16.
  /// - Returns: nil if a slot would be smaller than 64 KiB.
  public init?(regionByteCount: Int, slotCount: Int) {
    guard regionByteCount > 0, regionByteCount & (regionByteCount - 1) == 0,
      regionByteCount <= RegionLayout.maxByteCount, (1...RegionLayout.maxSlotCount).contains(slotCount)
    else { return nil }
    let share = (regionByteCount - RegionLayout.alignment) / slotCount / RegionLayout.alignment * RegionLayout.alignment
    guard share >= RegionLayout.alignment else { return nil }
    self.regionByteCount = regionByteCount
    self.slotCount = slotCount
    slotByteCount = share
    slotsOffset = RegionLayout.alignment
    guestOffset = 4096
    presentOffset = 8192
    presentEntryCount = Int(FRAMEPATH_REGION_PRESENT_ENTRIES)
    releaseOffset = presentOffset + presentEntryCount * RegionLayout.presentEntryByteCount
    releaseEntryCount = Int(FRAMEPATH_REGION_RELEASE_ENTRIES)
  }

  /// The smallest region whose slots hold frames of `frameByteCount` bytes; nil if it exceeds 4 GiB.
  public init?(fittingFrameBytes frameByteCount: Int, slotCount: Int) {
    guard frameByteCount > 0, frameByteCount <= RegionLayout.maxByteCount,
      (1...RegionLayout.maxSlotCount).contains(slotCount)
    else { return nil }
    var size = RegionLayout.alignment * 2
    while size <= RegionLayout.maxByteCount {
      if let layout = RegionLayout(regionByteCount: size, slotCount: slotCount), layout.slotByteCount >= frameByteCount
      {
        self = layout
        return
      }
      size *= 2
    }
    return nil
  }

  /// Creates the memory for such a region: a memfd sealed against shrinking, growing and further seals.
  public func makeMemory() throws(SystemError) -> OwnedFD {
    try MemFD.create(name: "framepath-region", byteCount: regionByteCount)
  }

  /// The offset of a slot in the region.
  public func slotOffset(_ slot: Int) -> Int { slotsOffset + slot * slotByteCount }

  /// Checks a host's header for a guest.
  ///
  /// - Parameter mappedByteCount: the number of mapped bytes.
  init(checking header: framepath_region_header, mappedByteCount: Int) throws(RegionError) {
    guard header.magic == FRAMEPATH_REGION_MAGIC else { throw .noRegion }
    let major = header.version >> 16
    guard major == FRAMEPATH_REGION_MAJOR else { throw .version(host: Int(major), guest: Int(FRAMEPATH_REGION_MAJOR)) }
    regionByteCount = Int(clamping: header.region_bytes)
    slotsOffset = Int(clamping: header.slots_offset)
    slotByteCount = Int(clamping: header.slot_bytes)
    slotCount = Int(header.slot_count)
    guestOffset = Int(header.guest_offset)
    presentOffset = Int(header.present_offset)
    presentEntryCount = Int(header.present_entries)
    releaseOffset = Int(header.release_offset)
    releaseEntryCount = Int(header.release_entries)
    guard regionByteCount <= mappedByteCount else {
      throw .malformed("it has \(header.region_bytes) bytes by its header, but the device has \(mappedByteCount)")
    }
    guard (1...RegionLayout.maxSlotCount).contains(slotCount), slotsOffset % RegionLayout.alignment == 0,
      slotByteCount % RegionLayout.alignment == 0, slotByteCount > 0,
      fits(slotsOffset, slotCount, slotByteCount)
    else { throw .malformed("\(slotCount) slots of \(slotByteCount) bytes do not fit") }
    guard isRing(presentOffset, presentEntryCount, RegionLayout.presentEntryByteCount),
      isRing(releaseOffset, releaseEntryCount, RegionLayout.releaseEntryByteCount),
      Int(header.present_entry_bytes) == RegionLayout.presentEntryByteCount,
      Int(header.release_entry_bytes) == RegionLayout.releaseEntryByteCount,
      guestOffset % 8 == 0, fits(guestOffset, 1, RegionLayout.guestByteCount)
    else { throw .malformed("its rings do not fit") }
  }

  private func fits(_ offset: Int, _ count: Int, _ byteCount: Int) -> Bool {
    let (product, overflow) = count.multipliedReportingOverflow(by: byteCount)
    let (end, tooFar) = offset.addingReportingOverflow(product)
    return !overflow && !tooFar && end <= regionByteCount
  }

  private func isRing(_ offset: Int, _ count: Int, _ byteCount: Int) -> Bool {
    offset % 8 == 0 && count > 0 && count <= 4096 && count & (count - 1) == 0 && fits(offset, count, byteCount)
  }
}

/// Why a region cannot be used.
public enum RegionError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The memory does not begin with a region's magic number.
  case noRegion
  /// The host has another major version.
  case version(host: Int, guest: Int)
  /// The header's numbers contradict each other or the memory's size.
  case malformed(String)

  /// A message for the user.
  public var description: String {
    switch self {
    case .noRegion: "the memory is not a Framepath region"
    case .version(let host, let guest): "the region has version \(host), this program needs version \(guest)"
    case .malformed(let why): "the region's header is invalid: \(why)"
    }
  }
}
