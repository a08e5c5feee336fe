/// The result of a push.
enum PushResult: Equatable {
  /// The entry is in the ring.
  case pushed
  /// The ring is full.
  case full
  /// The consumer's index has another epoch, or is outside the ring: nothing was written.
  case stale
}

/// The producer of a ring, as a state machine with one memory access per step.
///
/// Of the other side it reads the consumer's index only, and checks its bounds.
struct RingProducer<Payload: RingPayload> {
  private enum Phase: Hashable {
    case checkRoom
    case invalidate
    case publishInvalid
    case fill(Int)
    case publishPayload
    case validate
    case publishEntry
    case announce
  }

  let epoch: UInt32
  /// The position of the next entry.
  private(set) var tail: UInt32 = 0
  private var phase = Phase.checkRoom

  init(epoch: UInt32, tail: UInt32 = 0) {
    self.epoch = epoch
    self.tail = tail
  }

  /// Takes the next step of pushing `payload`; nil until it is complete.
  mutating func step<Memory: RingMemory>(_ payload: borrowing Payload, in memory: inout Memory) -> PushResult? {
    let index = Int(tail) & (memory.entryCount - 1)
    switch phase {
    case .checkRoom:
      let head = EpochWord(rawValue: memory.load(.head))
      let waiting = tail &- head.position
      guard head.epoch == epoch, waiting <= UInt32(memory.entryCount) else { return .stale }
      guard waiting < UInt32(memory.entryCount) else { return .full }
      phase = .invalidate
    case .invalidate:
      memory.store(0, to: .generation(index))
      phase = .publishInvalid
    case .publishInvalid:
      memory.publish()
      phase = .fill(0)
    case .fill(let word):
      memory.store(payload[word], to: .payload(entry: index, word: word))
      phase = word + 1 < Payload.wordCount ? .fill(word + 1) : .publishPayload
    case .publishPayload:
      memory.publish()
      phase = .validate
    case .validate:
      memory.store(EpochWord(epoch: epoch, position: tail).rawValue, to: .generation(index))
      phase = .publishEntry
    case .publishEntry:
      memory.publish()
      phase = .announce
    case .announce:
      tail &+= 1
      memory.store(EpochWord(epoch: epoch, position: tail).rawValue, to: .tail)
      phase = .checkRoom
      return .pushed
    }
    return nil
  }

  /// Pushes an entry. At most `Payload.wordCount + 7` accesses.
  mutating func push<Memory: RingMemory>(_ payload: borrowing Payload, in memory: inout Memory) -> PushResult {
    while true {
      if let result = step(payload, in: &memory) { return result }
    }
  }
}

extension RingProducer: Equatable {}
extension RingProducer: Hashable {}
