/// The result of a pop.
enum PopResult: Equatable {
  /// The ring is empty.
  case empty
  /// The producer's index belongs to another epoch.
  case stale
  /// An entry was read into the payload.
  case entry
  /// The next entry has another generation, or was written during the read: it is skipped.
  case torn
  /// More entries are announced than the ring has: all are skipped.
  case overrun
}

/// The consumer of a ring, as a state machine with one memory access per step.
///
/// An entry is copied once, and is valid only if its generation matched before and after the copy.
struct RingConsumer<Payload: RingPayload> {
  private enum Phase: Hashable {
    case checkTail
    case checkBefore
    case copy(Int)
    case checkAfter
    case advance(PopOutcome)
  }

  /// The result after `advance`.
  private enum PopOutcome: Hashable { case entry, torn, overrun }

  let epoch: UInt32
  /// The position of the next entry.
  private(set) var head: UInt32 = 0
  private var phase = Phase.checkTail
  /// The new head after `advance`.
  private var next: UInt32 = 0

  init(epoch: UInt32, head: UInt32 = 0) {
    self.epoch = epoch
    self.head = head
  }

  /// Takes the next step of reading an entry into `payload`; nil until it is complete.
  mutating func step<Memory: RingMemory>(into payload: inout Payload, from memory: inout Memory) -> PopResult? {
    let index = Int(head) & (memory.entryCount - 1)
    let expected = EpochWord(epoch: epoch, position: head).rawValue
    switch phase {
    case .checkTail:
      let tail = EpochWord(rawValue: memory.load(.tail))
      guard tail.epoch == epoch else { return .stale }
      guard tail.position != head else { return .empty }
      let isPossible = tail.position &- head <= UInt32(memory.entryCount)
      next = isPossible ? head &+ 1 : tail.position
      phase = isPossible ? .checkBefore : .advance(.overrun)
    case .checkBefore:
      phase = memory.load(.generation(index)) == expected ? .copy(0) : .advance(.torn)
    case .copy(let word):
      payload[word] = memory.load(.payload(entry: index, word: word))
      phase = word + 1 < Payload.wordCount ? .copy(word + 1) : .checkAfter
    case .checkAfter:
      phase = .advance(memory.load(.generation(index)) == expected ? .entry : .torn)
    case .advance(let outcome):
      head = next
      memory.store(EpochWord(epoch: epoch, position: head).rawValue, to: .head)
      phase = .checkTail
      return switch outcome {
      case .entry: .entry
      case .torn: .torn
      case .overrun: .overrun
      }
    }
    return nil
  }

  /// Reads an entry that was taken before; false if it is no longer there.
  static func reread<Memory: RingMemory>(
    _ position: UInt32, epoch: UInt32, into payload: inout Payload, from memory: inout Memory
  ) -> Bool {
    let index = Int(position) & (memory.entryCount - 1)
    let expected = EpochWord(epoch: epoch, position: position).rawValue
    guard memory.load(.generation(index)) == expected else { return false }
    for word in 0..<Payload.wordCount { payload[word] = memory.load(.payload(entry: index, word: word)) }
    return memory.load(.generation(index)) == expected
  }

  /// Reads an entry. At most `Payload.wordCount + 4` accesses.
  mutating func pop<Memory: RingMemory>(into payload: inout Payload, from memory: inout Memory) -> PopResult {
    while true {
      if let result = step(into: &payload, from: &memory) { return result }
    }
  }
}

extension RingConsumer: Equatable {}
extension RingConsumer: Hashable {}
