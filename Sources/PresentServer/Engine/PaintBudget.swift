/// Limits the time that copies take in one loop iteration, so that other events are handled in between.
///
/// Shared by all outputs of a server: each output may copy for 1 ms per loop iteration, all together for 1.5 ms.
final class PaintBudget {
  static let pieceNanoseconds: UInt64 = 1_000_000
  static let iterationNanoseconds: UInt64 = 1_500_000
  /// Shorter pieces are not worth their overhead.
  static let leastNanoseconds: UInt64 = 100_000

  private let clock: PresentClock
  private var usedNanoseconds: UInt64 = 0
  /// The most time that an iteration used.
  private(set) var longestNanoseconds: UInt64 = 0

  init(clock: PresentClock) { self.clock = clock }

  /// Begins a piece; nil if no time is left in this iteration.
  func begin() -> PaintDeadline? {
    let left = PaintBudget.iterationNanoseconds - min(usedNanoseconds, PaintBudget.iterationNanoseconds)
    guard left >= PaintBudget.leastNanoseconds else { return nil }
    return PaintDeadline(clock: clock, length: min(left, PaintBudget.pieceNanoseconds))
  }

  /// Ends a piece and charges its time.
  func end(_ deadline: PaintDeadline) {
    let used = clock.nowNanoseconds - deadline.begunNanoseconds
    usedNanoseconds += used
    longestNanoseconds = max(longestNanoseconds, usedNanoseconds)
  }

  /// Resets the budget at the end of a loop iteration.
  func endIteration() { usedNanoseconds = 0 }
}

/// The end of a piece of copying.
struct PaintDeadline {
  /// Nil for copies that cannot be divided.
  private let clock: PresentClock?
  let begunNanoseconds: UInt64
  private let endNanoseconds: UInt64

  /// For copies that must be made at once.
  static var never: PaintDeadline { PaintDeadline() }

  private init() { (clock, begunNanoseconds, endNanoseconds) = (nil, 0, .max) }

  init(clock: PresentClock, length: UInt64) {
    self.clock = clock
    begunNanoseconds = clock.nowNanoseconds
    endNanoseconds = begunNanoseconds + length
  }

  var hasPassed: Bool { clock.map { $0.nowNanoseconds >= endNanoseconds } ?? false }
}
