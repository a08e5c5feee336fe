import GuestMemory

/// The buffers of one request: those that the device reads, then those that it writes.
///
/// Each queue has one such object and reuses it for every request: it is the chain of the last `Virtqueue.pop`. To
/// answer later, keep `head` and write the answer now: the driver reads it only after `push` of that head. All buffers
/// were in guest memory when the chain was popped. Owned by the queue's thread.
@safe public final class DescriptorChain {
  /// The most descriptors of a chain, including an indirect table.
  static let maxDescriptorCount = VirtqueueConfig.maxSize
  /// The specification's limit on the bytes of a chain.
  private static let maxByteCount: UInt64 = 1 << 32

  fileprivate struct Segment {
    let address: UInt64
    let byteCount: UInt32
  }

  /// The chain of one request. A structure, because the class's properties are checked at each access.
  struct Buffers {
    var head: UInt16 = 0
    var readableByteCount = 0
    var writableByteCount = 0
    fileprivate var segments: ContiguousArray<Segment> = []
    fileprivate var readableSegmentCount = 0
  }

  private let memory: GuestMemory
  private var buffers = Buffers()

  /// Identifies the chain for `Virtqueue.push`.
  public var head: UInt16 { buffers.head }
  /// The bytes that the driver wrote for the device.
  public var readableByteCount: Int { buffers.readableByteCount }
  /// The bytes that the device may write.
  public var writableByteCount: Int { buffers.writableByteCount }

  init(memory: GuestMemory, size: Int) {
    self.memory = memory
    buffers.segments.reserveCapacity(min(size, 128))
  }

  /// Copies readable bytes from `offset` on into `buffer`.
  ///
  /// - Returns: the number of copied bytes; fewer than the buffer holds if the chain ends before.
  public func read(into buffer: UnsafeMutableRawBufferPointer, offset: Int = 0) -> Int {
    let readable = buffers.segments[..<buffers.readableSegmentCount]
    return transfer(readable, offset: offset, byteCount: buffer.count) { address, part in
      unsafe memory.copyIn(from: address, into: UnsafeMutableRawBufferPointer(rebasing: buffer[part]))
    }
  }

  /// Copies `bytes` into the writable buffers from `offset` on.
  ///
  /// - Returns: the number of copied bytes; fewer than given if the chain ends before.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) -> Int {
    let writable = buffers.segments[buffers.readableSegmentCount...]
    return transfer(writable, offset: offset, byteCount: bytes.count) { address, part in
      unsafe memory.copyOut(UnsafeRawBufferPointer(rebasing: bytes[part]), to: address)
    }
  }

  /// Calls `copy` for each segment's part of the `byteCount` bytes from `offset` on.
  private func transfer(
    _ segments: ContiguousArray<Segment>.SubSequence, offset: Int, byteCount: Int, _ copy: (UInt64, Range<Int>) -> Bool
  ) -> Int {
    guard offset >= 0 else { return 0 }
    var skip = offset
    var done = 0
    for index in segments.indices where done < byteCount {
      let segment = segments[index]
      let length = Int(segment.byteCount)
      if skip >= length {
        skip -= length
        continue
      }
      let count = min(length - skip, byteCount - done)
      // The sum stays inside the segment, which was in guest memory at the pop; the memory table may have changed
      // since.
      guard copy(segment.address &+ UInt64(skip), done..<done + count) else { return done }
      done += count
      skip = 0
    }
    return done
  }

  /// Walks the chain at `head` of `table` and stores its buffers.
  func gather(head: UInt16, table: DescriptorTable, allowsIndirect: Bool) throws(VirtqueueError) {
    try buffers.gather(head: head, table: table, memory, allowsIndirect: allowsIndirect)
  }
}

extension DescriptorChain.Buffers {
  fileprivate mutating func gather(
    head: UInt16, table: DescriptorTable, _ memory: GuestMemory, allowsIndirect: Bool
  ) throws(VirtqueueError) {
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
        table = try indirectTable(descriptor, memory)
        isIndirect = true
        index = 0
        visited = 0
        continue
      }
      try append(descriptor, memory)
      guard descriptor.hasNext else { return }
      guard Int(descriptor.next) < table.count else {
        throw .nextOutOfRange(next: descriptor.next, count: table.count)
      }
      index = Int(descriptor.next)
    }
  }

  private func indirectTable(_ descriptor: Descriptor, _ memory: GuestMemory) throws(VirtqueueError) -> DescriptorTable
  {
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

  private mutating func append(_ descriptor: Descriptor, _ memory: GuestMemory) throws(VirtqueueError) {
    let byteCount = Int(descriptor.byteCount)
    guard byteCount > 0 else { throw .emptyDescriptor(head: head) }
    guard segments.count < DescriptorChain.maxDescriptorCount else {
      throw .chainTooLong(head: head, limit: DescriptorChain.maxDescriptorCount)
    }
    // At most 32768 lengths below 2^32 are added: the sum cannot overflow.
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
    segments.append(DescriptorChain.Segment(address: descriptor.address, byteCount: descriptor.byteCount))
  }
}
