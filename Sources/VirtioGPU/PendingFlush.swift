/// A fenced flush of a blob that is answered when its frames are on screen.
struct PendingFlush {
  let token: UInt64
  let deadlineNanoseconds: UInt64
  /// Scanouts that have yet to show it, one bit each.
  var scanouts: UInt16
  /// The frame of each of them.
  var frames = InlineArray<16, UInt64>(repeating: 0)

  /// Whether it was the last frame to wait for.
  mutating func noteAnswer(scanout: Int, frame: UInt64) -> Bool {
    let bit = UInt16(1) << scanout
    if scanouts & bit != 0 && frame >= frames[scanout] { scanouts &= ~bit }
    return scanouts == 0
  }
}
