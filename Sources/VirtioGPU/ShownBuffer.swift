/// A buffer of the display, with its use.
class ShownBuffer {
  /// The buffer's name at the display.
  let id: UInt32
  /// The number of unanswered presents.
  private var outstanding = 0
  /// Whether it may be on screen: it was flipped and not released.
  private(set) var isOnScreen = false

  init(id: UInt32) { self.id = id }

  /// Whether it is not read, and will not be without another present.
  var isFree: Bool { outstanding == 0 && !isOnScreen }

  /// It was presented.
  func presented() { outstanding += 1 }

  /// A present of it was answered.
  func answered(_ outcome: FrameOutcome) {
    outstanding = max(outstanding - 1, 0)
    if outcome == .flipped { isOnScreen = true }
  }

  /// The display has released it. A present that the display had not received by then still counts.
  func released() { isOnScreen = false }
}
