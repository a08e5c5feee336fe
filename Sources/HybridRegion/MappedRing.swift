import CFramepathABI
import Synchronization

/// An 8-byte word of a region that the other side may write at any time.
@safe struct SharedWord {
  private let cell: UnsafePointer<Atomic<UInt64>>

  /// - Parameter address: 8-byte aligned, mapped for the life of this value.
  @unsafe init(_ address: UnsafeRawPointer) {
    precondition(UInt(bitPattern: address) % 8 == 0, "a shared word is 8-byte aligned")
    unsafe cell = address.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// Loads the word with acquire ordering: what its writer published before it is visible afterwards.
  func load() -> UInt64 {
    // SAFETY: the initialiser's caller keeps the word mapped; any bit pattern is a number.
    UInt64(littleEndian: unsafe cell.pointee.load(ordering: .acquiring))
  }

  /// Stores the word with release ordering, which orders ordinary memory only.
  func store(_ value: UInt64) {
    // SAFETY: as in `load`.
    unsafe cell.pointee.store(value.littleEndian, ordering: .releasing)
  }

  /// Replaces the word if it is still `old`.
  func replace(_ old: UInt64, by new: UInt64) {
    // SAFETY: as in `load`.
    _ = unsafe cell.pointee.compareExchange(
      expected: old.littleEndian, desired: new.littleEndian, ordering: .acquiringAndReleasing)
  }
}

/// A ring in mapped memory.
@safe struct MappedRing: RingMemory {
  let entryCount: Int
  private let tail: SharedWord
  private let head: SharedWord
  private let doorbell: SharedWord?
  private let entries: UnsafeRawPointer
  private let entryByteCount: Int
  /// Whether loads may be reordered, as in a write-combined BAR.
  private let isWeaklyOrdered: Bool

  /// - Parameters:
  ///   - entries: the first entry, 8-byte aligned; `entryCount * entryByteCount` bytes are mapped for this value's life.
  ///   - entryCount: a power of two.
  ///   - entryByteCount: a multiple of 8.
  @unsafe init(
    tail: SharedWord, head: SharedWord, doorbell: SharedWord? = nil, entries: UnsafeRawPointer, entryCount: Int,
    entryByteCount: Int, isWeaklyOrdered: Bool
  ) {
    precondition(entryCount > 0 && entryCount & (entryCount - 1) == 0 && entryByteCount % 8 == 0, "a ring's shape")
    self.entryCount = entryCount
    self.tail = tail
    self.head = head
    self.doorbell = doorbell
    unsafe self.entries = entries
    self.entryByteCount = entryByteCount
    self.isWeaklyOrdered = isWeaklyOrdered
  }

  private func place(_ word: RingWord) -> SharedWord {
    switch word {
    case .tail: tail
    case .head: head
    case .doorbell: doorbell ?? { preconditionFailure("only the present ring has a doorbell word") }()
    case .generation(let index): entryWord(index, 0)
    case .payload(let index, let word): entryWord(index, word + 1)
    }
  }

  private func entryWord(_ index: Int, _ word: Int) -> SharedWord {
    precondition(index >= 0 && index < entryCount && word >= 0 && word < entryByteCount / 8, "a word of the ring")
    // SAFETY: checked just above against what the initialiser's caller has mapped; not derived from shared memory.
    return unsafe SharedWord(entries + index * entryByteCount + word * 8)
  }

  func load(_ word: RingWord) -> UInt64 {
    let value = place(word).load()
    if isWeaklyOrdered { framepath_region_consume() }
    return value
  }

  func store(_ value: UInt64, to word: RingWord) { place(word).store(value) }

  func publish() {
    framepath_region_publish()
    // Loads from write-combined memory may pass even a locked instruction.
    if isWeaklyOrdered { framepath_region_consume() }
  }
}
