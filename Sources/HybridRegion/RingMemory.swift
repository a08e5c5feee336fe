/// A word of a ring that both sides access.
enum RingWord: Hashable {
  /// The producer's epoch word.
  case tail
  /// The consumer's epoch word.
  case head
  /// The consumer's request to be woken, or not; in the present ring only.
  case doorbell
  /// The generation of the entry at an index below the ring's entry count.
  case generation(Int)
  /// A word of the payload of that entry.
  case payload(entry: Int, word: Int)
}

/// The memory of a ring: 8-byte words that are read and written atomically.
///
/// The ring's state machines make one access per step, so that a test can interleave two of them in every way over a
/// memory model of its own.
protocol RingMemory {
  /// The number of entries, a power of two.
  var entryCount: Int { get }
  /// Loads a word; what its writer published before it is visible afterwards.
  mutating func load(_ word: RingWord) -> UInt64
  /// Stores a word.
  mutating func store(_ value: UInt64, to word: RingWord)
  /// Orders all earlier stores before all later ones.
  mutating func publish()
}

/// The payload of an entry, without its generation.
protocol RingPayload {
  /// The number of 8-byte words.
  static var wordCount: Int { get }
  /// A payload of zeros.
  init()
  /// The word at an index below `wordCount`.
  subscript(word: Int) -> UInt64 { get set }
}

/// `epoch << 32 | position`: a ring index or an entry's generation, with the attach it belongs to.
struct EpochWord: Hashable {
  var epoch: UInt32
  var position: UInt32

  init(epoch: UInt32, position: UInt32) {
    self.epoch = epoch
    self.position = position
  }

  init(rawValue: UInt64) {
    epoch = UInt32(truncatingIfNeeded: rawValue >> 32)
    position = UInt32(truncatingIfNeeded: rawValue)
  }

  var rawValue: UInt64 { UInt64(epoch) << 32 | UInt64(position) }
}
