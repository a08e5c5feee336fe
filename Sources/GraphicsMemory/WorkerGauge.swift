/// Decides whether helpers are worth waking, from the copies that they helped with.
///
/// On a busy host helpers get no processor, and waking them costs time. The calling thread's own rate in a shared copy
/// tells how long it would have taken alone; a thread that is alone is no slower than that. Where sharing gains too
/// little, copies stay on the calling thread for a while, each time for longer, and then sharing is tried again.
struct WorkerGauge {
  /// Sharing must make a copy that much faster.
  static let leastGain = 1.1
  /// Copies that stay on the calling thread after sharing gained too little; doubles with each failure in a row.
  static let shortestRest = 32
  static let longestRest = 1024

  private var gain = 2.0
  private var restCount = WorkerGauge.shortestRest
  private var remainingRest = 0

  /// Whether the next large copy is shared.
  mutating func isSharingNext() -> Bool {
    if remainingRest == 0 { return true }
    remainingRest -= 1
    return false
  }

  /// Notes a shared copy.
  ///
  /// - Parameters:
  ///   - totalBytes: of the whole copy.
  ///   - ownBytes: of the calling thread's part.
  ///   - ownNanoseconds: for which the calling thread copied its part.
  ///   - totalNanoseconds: from waking the helpers to the end of the last one's part.
  mutating func note(totalBytes: Int, ownBytes: Int, ownNanoseconds: UInt64, totalNanoseconds: UInt64) {
    guard ownBytes > 0, totalNanoseconds > 0 else { return }
    let alone = Double(ownNanoseconds) * Double(totalBytes) / Double(ownBytes)
    gain += (alone / Double(totalNanoseconds) - gain) / 4
    if gain >= WorkerGauge.leastGain {
      restCount = WorkerGauge.shortestRest
      return
    }
    remainingRest = restCount
    restCount = min(restCount * 2, WorkerGauge.longestRest)
    // One bad copy after the rest is enough for the next one.
    gain = WorkerGauge.leastGain
  }
}
