import FrameScheduler

/// A decision of the scheduler that is carried out over several loop iterations: copies, then the commit.
struct DecidedWork {
  /// The commit's parameters.
  struct Commit {
    var isFull: Bool
    var showsFallback: Bool
    var isVariable: Bool
  }

  private var orders: [BlitOrder] = []
  private var done = 0
  /// The bytes copied for the current order, and the CPU time used.
  private var copiedBytes: UInt64 = 0
  private var usedNanoseconds: UInt64 = 0
  /// The commit that follows the copies.
  private(set) var commit: Commit?
  /// When the commit was begun; its picture may need more than one iteration.
  private var commitBegunAt: Nanoseconds?

  /// Reserves storage for the most orders of a decision.
  init() { orders.reserveCapacity(FrameDecisions.mostVMs) }

  var isEmpty: Bool { orders.isEmpty && commit == nil }

  /// The current or next copy.
  var order: BlitOrder? { done < orders.count ? orders[done] : nil }

  /// Adds a decision's copies.
  mutating func add(_ blits: [BlitOrder]) { if !blits.isEmpty { orders.append(contentsOf: blits) } }

  /// Adds the commit that follows the copies.
  mutating func add(_ commit: Commit) { self.commit = commit }

  /// Records a copied part of the current order.
  mutating func note(copiedBytes bytes: UInt64, nanoseconds: UInt64) {
    copiedBytes += bytes
    usedNanoseconds += nanoseconds
  }

  /// Ends the current order; returns its copied bytes and the CPU time used.
  mutating func endOrder() -> (copiedBytes: UInt64, nanoseconds: UInt64) {
    let total = (copiedBytes, usedNanoseconds)
    (copiedBytes, usedNanoseconds) = (0, 0)
    done += 1
    return total
  }

  /// Removes all orders once they are complete; false if there were none.
  mutating func endOrders() -> Bool {
    guard !orders.isEmpty else { return false }
    orders.removeAll(keepingCapacity: true)
    done = 0
    return true
  }

  /// The commit is tried; returns when it was tried first.
  mutating func beginCommit(at now: Nanoseconds) -> Nanoseconds {
    let begun = commitBegunAt ?? now
    commitBegunAt = begun
    return begun
  }

  /// The commit was made or abandoned.
  mutating func endCommit() {
    commit = nil
    commitBegunAt = nil
  }
}
