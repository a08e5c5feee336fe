import GuestMemory

/// The buffers of one request: first those the device reads, then those it writes.
///
/// Each queue has one such object, used again for every request: it shows the chain of the last `Virtqueue.pop`. Whoever
/// answers later keeps `head`, and writes the answer now: the driver looks at it only once `push` has named the head.
/// All buffers lay in guest memory when the chain was popped. Owned by the queue's thread.
@safe public final class DescriptorChain {
  /// The most descriptors that a chain may have, an indirect table's included.
  static let maxDescriptorCount = VirtqueueConfig.maxSize
  /// The specification's limit on the bytes of a chain.
  private static let maxByteCount: UInt64 = 1 << 32

  private struct Segment {
    let address: UInt64
    let byteCount: UInt32
  }

  /// Names the chain in `Virtqueue.push`.
  public private(set) var head: UInt16 = 0
  /// Bytes that the driver wrote for the device.
  public private(set) var readableByteCount = 0
  /// Bytes that the device may write.
  public private(set) var writableByteCount = 0

  private let memory: GuestMemory
  private var segments: ContiguousArray<Segment> = []
  private var readableSegmentCount = 0

  init(memory: GuestMemory, size: Int) {
    self.memory = memory
    segments.reserveCapacity(min(size, 128))
  }

  /// Copies readable bytes, from `offset` on, into `buffer`.
  ///
  /// - Returns: how many bytes were copied: fewer than the buffer holds where the chain ends before.
  public func read(into buffer: UnsafeMutableRawBufferPointer, offset: Int = 0) -> Int {
    transfer(segments: 0..<readableSegmentCount, offset: offset, byteCount: buffer.count) { address, part in
      unsafe memory.copyIn(from: address, into: UnsafeMutableRawBufferPointer(rebasing: buffer[part]))
    }
  }

  /// Copies `bytes` to the writable buffers, from `offset` on.
  ///
  /// - Returns: how many bytes were copied: fewer than there are where the chain ends before.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) -> Int {
    transfer(segments: readableSegmentCount..<segments.count, offset: offset, byteCount: bytes.count) { address, part in
      unsafe memory.copyOut(UnsafeRawBufferPointer(rebasing: bytes[part]), to: address)
    }
  }

  /// Calls `copy` for the piece of each segment that `byteCount` bytes from `offset` on touch.
  private func transfer(
    segments range: Range<Int>, offset: Int, byteCount: Int, _ copy: (UInt64, Range<Int>) -> Bool
  ) -> Int {
    guard offset >= 0 else { return 0 }
    var skip = offset
    var done = 0
    for index in range where done < byteCount {
      let segment = segments[index]
      let length = Int(segment.byteCount)
      if skip >= length {
        skip -= length
        continue
      }
      let count = min(length - skip, byteCount - done)
      // The sum stays in the segment, which was in guest memory at the pop; the table may have changed since.
      guard copy(segment.address &+ UInt64(skip), done..<done + count) else { return done }
      done += count
      skip = 0
    }
    return done
  }

  /// Walks the chain at `head` of `table` and takes its buffers over.
  func gather(head: UInt16, table: DescriptorTable, allowsIndirect: Bool) throws(VirtqueueError) {
    segments.removeAll(keepingCapacity: true)
    self.head = head
    readableSegmentCount = 0
    readableByteCount = 0
    writableByteCount = 0
    var table = table
    var isIndirect = false
    var index = Int(head)
    var visited = 0
    while true {
      guard visited < table.count else { throw .chainTooLong(head: head, limit: table.count) }
      visited += 1
      guard let descriptor = table.copy(index, memory) else {
        throw .bufferOutsideMemory(head: head, address: UInt64(index), byteCount: UInt32(Rings.descriptorByteCount))
      }
      if descriptor.isIndirect {
        guard allowsIndirect, !isIndirect, !descriptor.hasNext else { throw .unexpectedIndirect(head: head) }
        table = try indirectTable(descriptor)
        isIndirect = true
        index = 0
        visited = 0
        continue
      }
      try append(descriptor)
      guard descriptor.hasNext else { return }
      guard Int(descriptor.next) < table.count else {
        throw .nextOutOfRange(next: descriptor.next, count: table.count)
      }
      index = Int(descriptor.next)
    }
  }

  private func indirectTable(_ descriptor: Descriptor) throws(VirtqueueError) -> DescriptorTable {
    let byteCount = Int(descriptor.byteCount)
    let (count, rest) = byteCount.quotientAndRemainder(dividingBy: Rings.descriptorByteCount)
    guard count > 0, rest == 0, count <= DescriptorChain.maxDescriptorCount else {
      throw .badIndirectByteCount(head: head, byteCount: descriptor.byteCount)
    }
    guard memory.contains(descriptor.address, byteCount) else {
      throw .bufferOutsideMemory(head: head, address: descriptor.address, byteCount: descriptor.byteCount)
    }
    return DescriptorTable(indirect: descriptor.address, count: count, memory: memory)
  }

  private func append(_ descriptor: Descriptor) throws(VirtqueueError) {
    let byteCount = Int(descriptor.byteCount)
    guard byteCount > 0 else { throw .emptyDescriptor(head: head) }
    guard segments.count < DescriptorChain.maxDescriptorCount else {
      throw .chainTooLong(head: head, limit: DescriptorChain.maxDescriptorCount)
    }
    // At most 32768 lengths below 2^32 each are added: no overflow.
    let sum = UInt64(readableByteCount + writableByteCount + byteCount)
    guard sum <= DescriptorChain.maxByteCount else { throw .chainTooLarge(head: head, byteCount: sum) }
    guard memory.contains(descriptor.address, byteCount) else {
      throw .bufferOutsideMemory(head: head, address: descriptor.address, byteCount: descriptor.byteCount)
    }
    if descriptor.isWritable {
      writableByteCount += byteCount
    } else {
      guard writableByteCount == 0 else { throw .readableAfterWritable(head: head) }
      readableByteCount += byteCount
      readableSegmentCount += 1
    }
    segments.append(Segment(address: descriptor.address, byteCount: descriptor.byteCount))
  }
}
