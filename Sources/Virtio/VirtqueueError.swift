/// A driver's violation of the ring protocol. The queue is unusable afterwards.
public enum VirtqueueError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The size is 0, not a power of two, or above 32768.
  case badSize(UInt32)
  /// A part of the ring is not, or not wholly, in one region of guest memory.
  case ringOutsideMemory(part: RingPart, address: UInt64, byteCount: Int)
  /// A part of the ring is not aligned as the specification requires.
  case ringMisaligned(part: RingPart, address: UInt64)
  /// `avail.idx` is more than a ring's length ahead.
  case availIndexJumped(from: UInt16, to: UInt16, size: Int)
  /// A chain was made available again before it was used.
  case headInFlight(head: UInt16)
  /// An entry of the avail ring is not a descriptor's index.
  case headOutOfRange(head: UInt16, size: Int)
  /// A descriptor's `next` is not an index of its table.
  case nextOutOfRange(next: UInt16, count: Int)
  /// A chain has more descriptors than its table, so it contains a loop; or it has more than 32768.
  case chainTooLong(head: UInt16, limit: Int)
  /// A descriptor of 0 bytes.
  case emptyDescriptor(head: UInt16)
  /// The buffers of a chain add up to more than 2^32 bytes.
  case chainTooLarge(head: UInt16, byteCount: UInt64)
  /// A buffer is not, or not wholly, in guest memory.
  case bufferOutsideMemory(head: UInt16, address: UInt64, byteCount: UInt32)
  /// A device-readable buffer follows a device-writable one.
  case readableAfterWritable(head: UInt16)
  /// An indirect table without INDIRECT_DESC, inside another one, or with `next`.
  case unexpectedIndirect(head: UInt16)
  /// An indirect table's length is 0, not a multiple of 16, or above 32768 descriptors.
  case badIndirectByteCount(head: UInt16, byteCount: UInt32)

  /// The parts of a split virtqueue.
  public enum RingPart: String, Sendable {
    /// `virtq_desc[]`.
    case descriptorTable = "descriptor table"
    /// `virtq_avail`.
    case availRing = "avail ring"
    /// `virtq_used`.
    case usedRing = "used ring"
  }

  /// A message for the log, with the numbers.
  public var description: String {
    switch self {
    case .badSize(let size): "queue size \(size) is not a power of two from 1 to 32768"
    case .ringOutsideMemory(let part, let address, let byteCount):
      "the \(part.rawValue) at user address \(hex(address)) of \(byteCount) bytes is not in guest memory"
    case .ringMisaligned(let part, let address): "the \(part.rawValue) at user address \(hex(address)) is misaligned"
    case .availIndexJumped(let from, let to, let size):
      "avail.idx went from \(from) to \(to) in a ring of \(size)"
    case .headInFlight(let head): "the chain at \(head) was made available again before it was used"
    case .headOutOfRange(let head, let size): "avail ring names descriptor \(head) of \(size)"
    case .nextOutOfRange(let next, let count): "a descriptor continues at \(next) of \(count)"
    case .chainTooLong(let head, let limit): "the chain at \(head) loops, or is longer than \(limit) descriptors"
    case .emptyDescriptor(let head): "the chain at \(head) has a descriptor of 0 bytes"
    case .chainTooLarge(let head, let byteCount): "the chain at \(head) has \(byteCount) bytes, more than 2^32"
    case .bufferOutsideMemory(let head, let address, let byteCount):
      "the chain at \(head) has a buffer at \(hex(address)) of \(byteCount) bytes that is not in guest memory"
    case .readableAfterWritable(let head): "the chain at \(head) has a readable buffer after a writable one"
    case .unexpectedIndirect(let head): "the chain at \(head) has an unexpected indirect table"
    case .badIndirectByteCount(let head, let byteCount):
      "the chain at \(head) has an indirect table of \(byteCount) bytes"
    }
  }
}

private func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
