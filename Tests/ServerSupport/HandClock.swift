package import PresentServer

/// The time of a server, which stands still until a test advances it.
package final class HandClock: TimeSource {
  private struct Entry {
    weak var timer: PresentTimer?
    var deadlineNanoseconds: UInt64
  }

  private var time: UInt64 = 1_000_000_000_000
  /// How much time passes with each look at the clock: what the code between two looks takes.
  package var nanosecondsPerRead: UInt64 = 0

  package private(set) var nowNanoseconds: UInt64 {
    get {
      time += nanosecondsPerRead
      return time
    }
    set { time = newValue }
  }
  private var armed: [Entry] = []

  package init() {}

  package func arm(_ timer: PresentTimer, deadlineNanoseconds: UInt64) {
    disarm(timer)
    armed.append(Entry(timer: timer, deadlineNanoseconds: deadlineNanoseconds))
  }

  package func disarm(_ timer: PresentTimer) { armed.removeAll { $0.timer == nil || $0.timer === timer } }

  /// Fires the timer with the earliest deadline up to `limit`, at the time of its deadline.
  ///
  /// - Returns: whether there was one.
  package func fireNext(until limit: UInt64) -> Bool {
    armed.removeAll { $0.timer == nil }
    guard let next = armed.indices.min(by: { armed[$0].deadlineNanoseconds < armed[$1].deadlineNanoseconds }),
      armed[next].deadlineNanoseconds <= limit
    else { return false }
    let entry = armed.remove(at: next)
    nowNanoseconds = max(nowNanoseconds, entry.deadlineNanoseconds)
    entry.timer?.fire()
    return true
  }

  /// Advances the time and fires the timers that are due by then, in the order of their deadlines.
  ///
  /// - Parameter step: called after each of them, for the work that it has caused.
  package func advance(nanoseconds: UInt64, step: () throws -> Void) rethrows {
    let end = nowNanoseconds + nanoseconds
    while fireNext(until: end) { try step() }
    nowNanoseconds = max(nowNanoseconds, end)
  }
}
