/// A word of a ring that both sides reach.
enum RingWord: Hashable {
  /// The producer's epoch word.
  case tail
  /// The consumer's epoch word.
  case head
  /// The consumer's word on whether it is to be woken; of the present ring only.
  case doorbell
  /// The generation of the entry at an index below the ring's entry count.
  case generation(Int)
  /// A word of that entry's payload.
  case payload(entry: Int, word: Int)
}

/// The memory of a ring: 8-byte words that are read and written whole.
///
/// The ring machines do one access a step, so that a test can interleave two of them in every possible way over a
/// memory of its own making.
protocol RingMemory {
  /// How many entries there are, a power of two.
  var entryCount: Int { get }
  /// Reads a word; what its writer published before it is visible afterwards.
  mutating func load(_ word: RingWord) -> UInt64
  /// Writes a word.
  mutating func store(_ value: UInt64, to word: RingWord)
  /// Puts all stores so far before all later ones.
  mutating func publish()
}

/// What an entry carries beside its generation.
protocol RingPayload {
  /// 8-byte words.
  static var wordCount: Int { get }
  /// All words 0.
  init()
  /// The word at an index below `wordCount`.
  subscript(word: Int) -> UInt64 { get set }
}

/// `epoch << 32 | position`: a ring index, or an entry's generation, that names the attach it belongs to.
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
