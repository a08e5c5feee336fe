@testable import HybridRegion

/// Two words, enough to tell a torn entry from a whole one.
struct ModelPayload: RingPayload, Hashable {
  static let wordCount = 2
  var first: UInt64 = 0
  var second: UInt64 = 0

  init() {}
  init(_ first: UInt64, _ second: UInt64) {
    self.first = first
    self.second = second
  }

  subscript(word: Int) -> UInt64 {
    get { word == 0 ? first : second }
    set { if word == 0 { first = newValue } else { second = newValue } }
  }
}

/// A ring whose stores reach the other side late and in any order until they are published, like write-combined memory.
///
/// With `isDelaying` false each store is visible at once.
struct ModelRing: Hashable, RingMemory {
  struct Store: Hashable {
    var word: Int
    var value: UInt64
  }

  let entryCount: Int
  let isDelaying: Bool
  var words: [UInt64]
  /// Pending stores by side, oldest first: 0 is the producer, 1 the consumer.
  var pending: [[Store]] = [[], []]
  /// The side that takes the step.
  var side = 0
  /// Ignores publishes, for testing the model itself.
  var ignoresPublish = false
  /// A publish was tried while stores were pending, and must wait.
  var isBlocked = false

  init(entryCount: Int, isDelaying: Bool) {
    self.entryCount = entryCount
    self.isDelaying = isDelaying
    words = Array(repeating: 0, count: 3 + entryCount * 3)
  }

  private func place(_ word: RingWord) -> Int {
    switch word {
    case .tail: 0
    case .head: 1
    case .generation(let entry): 2 + entry * 3
    case .payload(let entry, let word): 3 + entry * 3 + word
    case .doorbell: 2 + entryCount * 3
    }
  }

  mutating func load(_ word: RingWord) -> UInt64 { words[place(word)] }

  mutating func store(_ value: UInt64, to word: RingWord) {
    if isDelaying {
      pending[side].append(Store(word: place(word), value: value))
    } else {
      words[place(word)] = value
    }
  }

  mutating func publish() { if !ignoresPublish, !pending[side].isEmpty { isBlocked = true } }

  /// Every memory after the arrival of one pending store; stores to one word keep their order.
  func arrivals() -> [ModelRing] {
    var results: [ModelRing] = []
    for side in 0..<2 {
      var seen: Set<Int> = []
      for (index, store) in pending[side].enumerated() where seen.insert(store.word).inserted {
        var next = self
        next.words[store.word] = store.value
        next.pending[side].remove(at: index)
        results.append(next)
      }
    }
    return results
  }
}

/// Visits every reachable state once.
///
/// - Parameter visit: checks a state and returns its successors.
/// - Returns: the number of states.
func explore<State: Hashable>(from start: [State], _ visit: (State) throws -> [State]) rethrows -> Int {
  var seen = Set(start)
  var open = start
  while let state = open.popLast() {
    for next in try visit(state) where seen.insert(next).inserted { open.append(next) }
  }
  return seen.count
}
