import GuestMemory

/// The three parts of a split virtqueue in memory, resolved and checked (virtio 1.3, section 2.7).
///
/// Valid for one generation of the guest's memory.
@safe struct Rings {
  /// Bytes of one `virtq_desc`.
  static let descriptorByteCount = 16

  private let mask: UInt16
  /// `virtq_desc[]`, 16-byte aligned.
  let descriptors: UnsafeMutableRawPointer
  private let avail: UnsafeMutableRawPointer
  private let used: UnsafeMutableRawPointer

  init(config: VirtqueueConfig, memory: GuestMemory) throws(VirtqueueError) {
    let size = Int(config.size)
    mask = UInt16(size - 1)
    // used_event and avail_event follow the rings.
    let tail = config.features.contains(.eventIndex) ? 2 : 0
    unsafe descriptors = try Rings.resolve(
      .descriptorTable, config.descriptorTable, size * Rings.descriptorByteCount, alignment: 16, memory)
    unsafe avail = try Rings.resolve(.availRing, config.availRing, 4 + 2 * size + tail, alignment: 2, memory)
    unsafe used = try Rings.resolve(.usedRing, config.usedRing, 4 + 8 * size + tail, alignment: 4, memory)
  }

  private static func resolve(
    _ part: VirtqueueError.RingPart, _ address: UInt64, _ byteCount: Int, alignment: UInt, _ memory: GuestMemory
  ) throws(VirtqueueError) -> UnsafeMutableRawPointer {
    guard let pointer = unsafe memory.userAddressToPointer(address, byteCount) else {
      throw .ringOutsideMemory(part: part, address: address, byteCount: byteCount)
    }
    // Alignment is checked on the pointer: the frontend may map addresses arbitrarily.
    guard UInt(bitPattern: pointer) & (alignment - 1) == 0 else { throw .ringMisaligned(part: part, address: address) }
    return unsafe pointer
  }

  // SAFETY of all below: `init` found the whole of each part in one mapping, aligned; `slot` is masked to the size.

  /// `avail.flags`; bit 0: VIRTQ_AVAIL_F_NO_INTERRUPT.
  var availFlags: SharedIndex { unsafe SharedIndex(avail) }
  /// `avail.idx`.
  var availIndex: SharedIndex { unsafe SharedIndex(avail + 2) }
  /// `avail.used_event`, with EVENT_IDX.
  var usedEvent: SharedIndex { unsafe SharedIndex(avail + 4 + 2 * (Int(mask) + 1)) }
  /// `used.flags`; bit 0: VIRTQ_USED_F_NO_NOTIFY.
  var usedFlags: SharedIndex { unsafe SharedIndex(used) }
  /// `used.idx`.
  var usedIndex: SharedIndex { unsafe SharedIndex(used + 2) }
  /// `used.avail_event`, with EVENT_IDX.
  var availEvent: SharedIndex { unsafe SharedIndex(used + 4 + 8 * (Int(mask) + 1)) }

  /// `avail.ring[index % size]`.
  func availEntry(_ index: UInt16) -> UInt16 { unsafe SharedIndex(avail + 4 + 2 * Int(index & mask)).loadRelaxed() }

  /// Writes `used.ring[index % size]`.
  func setUsedEntry(_ index: UInt16, head: UInt16, writtenByteCount: UInt32) {
    let entry = unsafe used + 4 + 8 * Int(index & mask)
    unsafe entry.storeBytes(of: UInt32(head).littleEndian, as: UInt32.self)
    unsafe entry.storeBytes(of: writtenByteCount.littleEndian, toByteOffset: 4, as: UInt32.self)
  }
}
