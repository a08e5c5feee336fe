import FrameScheduler

/// A decision of the scheduler that is carried out in pieces of the loop's time: copies, then the commit.
struct DecidedWork {
  /// What a commit is to show.
  struct Commit {
    var isFull: Bool
    var showsFallback: Bool
  }

  private var orders: [BlitOrder] = []
  private var done = 0
  /// What was copied for the order that is under way, and the processor time that it took.
  private var copiedBytes: UInt64 = 0
  private var usedNanoseconds: UInt64 = 0
  /// The commit that comes after the copies.
  private(set) var commit: Commit?
  /// Whether the picture of the commit is being completed.
  var isPreparing = false

  /// Storage for as many orders as a decision has at most.
  init() { orders.reserveCapacity(FrameDecisions.mostVMs) }

  var isEmpty: Bool { orders.isEmpty && commit == nil }

  /// The copy that is under way or comes next.
  var order: BlitOrder? { done < orders.count ? orders[done] : nil }

  /// Takes the copies and the commit of a decision.
  mutating func take(_ decisions: FrameDecisions) {
    for index in decisions.blits.indices { orders.append(decisions.blits[index]) }
    if decisions.commits {
      commit = Commit(isFull: decisions.needsFullDamage, showsFallback: decisions.showsFallback)
    }
  }

  /// A part of the order that is under way was copied.
  mutating func note(copiedBytes bytes: UInt64, nanoseconds: UInt64) {
    copiedBytes += bytes
    usedNanoseconds += nanoseconds
  }

  /// The order that was under way is copied: its bytes, and the processor time that they took.
  mutating func endOrder() -> (copiedBytes: UInt64, nanoseconds: UInt64) {
    let total = (copiedBytes, usedNanoseconds)
    (copiedBytes, usedNanoseconds) = (0, 0)
    done += 1
    return total
  }

  /// All orders are copied; false where there was none.
  mutating func endOrders() -> Bool {
    guard !orders.isEmpty else { return false }
    orders.removeAll(keepingCapacity: true)
    done = 0
    return true
  }

  /// The commit was made or abandoned.
  mutating func endCommit() {
    commit = nil
    isPreparing = false
  }
}
