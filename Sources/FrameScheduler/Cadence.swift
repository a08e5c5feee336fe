/// The vblanks that are due for a frame rate, by a Bresenham accumulator: 24 Hz on 60 Hz gives 3:2.
///
/// Slot `j` is due at the first vblank whose `index · rate` reaches `due`; a missed slot is never made up for, so that
/// no window has more than one frame above the rate.
struct Cadence: Sendable {
  /// The frame rate in millihertz; not limiting at or above `refresh`.
  private(set) var rate: Int64
  private(set) var refresh: Int64
  private var due: Int64

  init(rate: Int64, refresh: Int64, firstIndex: Int64) {
    self.rate = min(rate, refresh)
    self.refresh = refresh
    due = firstIndex * self.rate
  }

  var isLimiting: Bool { rate < refresh }

  /// The vblank from which the present slot is due.
  var dueIndex: Int64 { ceilingDivide(due, rate) }

  func isDue(at index: Int64) -> Bool { index * rate >= due }

  /// The newest slot due at `index`: its vblank and that of the next slot.
  func currentSlot(at index: Int64) -> (opens: Int64, next: Int64) {
    let slot = due + passedSlots(at: index) * refresh
    return (ceilingDivide(slot, rate), ceilingDivide(slot + refresh, rate))
  }

  /// Uses up the slot that is due at `index` and skips `extra` further ones.
  mutating func consume(at index: Int64, extra: Int64 = 0) {
    due += (passedSlots(at: index) + 1 + extra) * refresh
  }

  /// The smallest number of vblanks between two slots.
  var leastVblanks: Int64 { refresh / rate }

  /// The number of vblanks of `slots` slots, rounded up.
  func vblanks(ofSlots slots: Int64) -> Int64 { ceilingDivide(slots * refresh, rate) }

  private func passedSlots(at index: Int64) -> Int64 { max(0, index * rate - due) / refresh }
}
