/// The sort key of a policy; the smallest is served first.
struct CandidateKey: Sendable {
  /// Classes that go strictly one after the other.
  var level: Int64
  var primary: Int64
  var secondary: Int64
}

/// A VM that may be served now.
struct Candidate: Sendable {
  var key: CandidateKey
  /// The last tie-break, so that every order is total.
  var vm: VMID
  /// The place in the scheduler's table.
  var position: Int

  static func precedes(_ left: Candidate, _ right: Candidate) -> Bool {
    if left.key.level != right.key.level { return left.key.level < right.key.level }
    if left.key.primary != right.key.primary { return left.key.primary < right.key.primary }
    if left.key.secondary != right.key.secondary { return left.key.secondary < right.key.secondary }
    return left.vm < right.vm
  }
}

/// A binary heap over storage that is reserved once; n candidates cost O(n) to build and O(log n) each to take.
struct CandidateHeap: Sendable {
  private var storage: [Candidate] = []

  init(capacity: Int) {
    storage.reserveCapacity(capacity)
  }

  var isEmpty: Bool { storage.isEmpty }

  mutating func removeAll() {
    storage.removeAll(keepingCapacity: true)
  }

  /// Adds without order; call `build()` before the first `removeFirst()`.
  mutating func append(_ candidate: Candidate) {
    storage.append(candidate)
  }

  /// How much of the table goes before a candidate, by a count of each one's.
  func sum(before candidate: Candidate, _ count: (Candidate) -> Nanoseconds) -> Nanoseconds {
    var sum: Nanoseconds = 0
    for other in storage where Candidate.precedes(other, candidate) { sum += count(other) }
    return sum
  }

  mutating func build() {
    guard storage.count > 1 else { return }
    for parent in stride(from: storage.count / 2 - 1, through: 0, by: -1) { siftDown(from: parent) }
  }

  /// Adds in order, in O(log n).
  mutating func insert(_ candidate: Candidate) {
    var hole = storage.count
    storage.append(candidate)
    while hole > 0, Candidate.precedes(candidate, storage[(hole - 1) / 2]) {
      storage[hole] = storage[(hole - 1) / 2]
      hole = (hole - 1) / 2
    }
    storage[hole] = candidate
  }

  mutating func removeFirst() -> Candidate? {
    guard !storage.isEmpty else { return nil }
    let first = storage[0]
    let last = storage.removeLast()
    if storage.isEmpty { return first }
    storage[0] = last
    siftDown(from: 0)
    return first
  }

  private mutating func siftDown(from start: Int) {
    let count = storage.count
    let moving = storage[start]
    var hole = start
    while true {
      var child = 2 * hole + 1
      guard child < count else { break }
      if child + 1 < count, Candidate.precedes(storage[child + 1], storage[child]) { child += 1 }
      guard Candidate.precedes(storage[child], moving) else { break }
      storage[hole] = storage[child]
      hole = child
    }
    storage[hole] = moving
  }
}
