import GuestMemory
import Synchronization

/// A private copy of one `virtq_desc`.
struct Descriptor {
  /// VIRTQ_DESC_F_NEXT.
  static let nextFlag: UInt16 = 1
  /// VIRTQ_DESC_F_WRITE.
  static let writeFlag: UInt16 = 2
  /// VIRTQ_DESC_F_INDIRECT.
  static let indirectFlag: UInt16 = 4

  let address: UInt64
  let byteCount: UInt32
  let flags: UInt16
  let next: UInt16

  var hasNext: Bool { flags & Descriptor.nextFlag != 0 }
  var isWritable: Bool { flags & Descriptor.writeFlag != 0 }
  var isIndirect: Bool { flags & Descriptor.indirectFlag != 0 }

  /// Parses the two little-endian 8-byte halves.
  init(low: UInt64, high: UInt64) {
    address = UInt64(littleEndian: low)
    let rest = UInt64(littleEndian: high)
    byteCount = UInt32(truncatingIfNeeded: rest)
    flags = UInt16(truncatingIfNeeded: rest >> 32)
    next = UInt16(truncatingIfNeeded: rest >> 48)
  }
}

/// A descriptor table in guest memory: the ring's own, or an indirect one.
@safe struct DescriptorTable {
  /// The number of descriptors.
  let count: Int
  private let address: UInt64
  private let pointer: UnsafeMutableRawPointer?

  /// The ring's table.
  /// - Parameter pointer: `count` descriptors, 8-byte aligned.
  @unsafe init(_ pointer: UnsafeMutableRawPointer, count: Int) {
    self.count = count
    address = 0
    unsafe self.pointer = pointer
  }

  /// An indirect table. It may be at any address, across regions, and at any alignment.
  init(indirect address: UInt64, count: Int, memory: GuestMemory) {
    self.count = count
    self.address = address
    let pointer = unsafe memory.contiguous(address, count * Rings.descriptorByteCount)
    unsafe self.pointer = UInt(bitPattern: pointer) & 7 == 0 ? pointer : nil
  }

  /// Copies the descriptor at `index`, which is below `count`; nil if it is outside guest memory.
  ///
  /// Each byte is read once, because the guest may change it at any time.
  func copy(_ index: Int, _ memory: GuestMemory) -> Descriptor? {
    if let pointer = unsafe pointer {
      // SAFETY: `count` descriptors from `pointer` on are mapped, 8-byte aligned; `index` is below `count`.
      let halves = unsafe (pointer + index * Rings.descriptorByteCount).assumingMemoryBound(to: Atomic<UInt64>.self)
      return unsafe Descriptor(
        low: halves[0].load(ordering: .relaxed), high: halves[1].load(ordering: .relaxed))
    }
    let (start, overflow) = address.addingReportingOverflow(UInt64(index * Rings.descriptorByteCount))
    guard !overflow else { return nil }
    var halves: (UInt64, UInt64) = (0, 0)
    let isInside = unsafe withUnsafeMutableBytes(of: &halves) { unsafe memory.copyIn(from: start, into: $0) }
    return isInside ? Descriptor(low: halves.0, high: halves.1) : nil
  }
}
