/// A buffer that the display knows, with what is known of its whereabouts.
class ShownBuffer {
  /// The display's name for it.
  let id: UInt32
  /// Presents that are not answered yet.
  private var outstanding = 0
  /// Whether it may be on screen: it was flipped, and its release has not come.
  private(set) var isOnScreen = false

  init(id: UInt32) { self.id = id }

  /// Whether nobody reads it, nor will without a further present.
  var isFree: Bool { outstanding == 0 && !isOnScreen }

  /// It was handed over once more.
  func presented() { outstanding += 1 }

  /// A present of it was answered.
  func answered(_ outcome: FrameOutcome) {
    outstanding = max(outstanding - 1, 0)
    if outcome == .flipped { isOnScreen = true }
  }

  /// The display has let go of it. A present that the display had not seen then still counts.
  func released() { isOnScreen = false }
}
