/// How much of the loop's time copies may take before other events get their turn.
///
/// One for all outputs of a server: each may copy for a millisecond in an iteration of the loop, all together for one and
/// a half.
final class PaintBudget {
  static let pieceNanoseconds: UInt64 = 1_000_000
  static let iterationNanoseconds: UInt64 = 1_500_000
  /// Shorter pieces are not worth their start.
  static let leastNanoseconds: UInt64 = 100_000

  private let clock: PresentClock
  private var usedNanoseconds: UInt64 = 0
  /// The longest time that copies of one output took at once.
  private(set) var longestNanoseconds: UInt64 = 0

  init(clock: PresentClock) { self.clock = clock }

  /// The end of a piece that begins now; nil where no time is left in this iteration.
  func begin() -> PaintDeadline? {
    let left = PaintBudget.iterationNanoseconds - min(usedNanoseconds, PaintBudget.iterationNanoseconds)
    guard left >= PaintBudget.leastNanoseconds else { return nil }
    return PaintDeadline(clock: clock, length: min(left, PaintBudget.pieceNanoseconds))
  }

  /// A piece has ended.
  func end(_ deadline: PaintDeadline) {
    let used = clock.nowNanoseconds - deadline.begunNanoseconds
    usedNanoseconds += used
    longestNanoseconds = max(longestNanoseconds, used)
  }

  /// The loop has seen all other events.
  func endIteration() { usedNanoseconds = 0 }
}

/// Until when a piece of copying may last.
struct PaintDeadline {
  let clock: PresentClock
  let begunNanoseconds: UInt64
  private let endNanoseconds: UInt64

  /// For the rare copy that cannot be divided.
  init(without clock: PresentClock) {
    self.clock = clock
    begunNanoseconds = 0
    endNanoseconds = .max
  }

  init(clock: PresentClock, length: UInt64) {
    self.clock = clock
    begunNanoseconds = clock.nowNanoseconds
    endNanoseconds = begunNanoseconds + length
  }

  /// Whether the time has come.
  var hasPassed: Bool { clock.nowNanoseconds >= endNanoseconds }
}
