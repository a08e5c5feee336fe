/// Decides whether to wake helpers, from the copies that they have helped with.
///
/// On a busy host helpers get no processor, and waking them costs time. The calling thread's rate in a shared copy
/// gives an upper bound for the time it would have taken alone. If sharing gains too little, copies stay on the calling
/// thread for a while, each time longer, and then sharing is tried again.
struct WorkerGauge {
  /// The factor by which sharing must make a copy faster.
  static let leastGain = 1.1
  /// The number of copies that stay on the calling thread after sharing gained too little; doubled with each failure in
  /// a row.
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

  /// Records a shared copy.
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
    // After the pause one more bad copy starts the next pause.
    gain = WorkerGauge.leastGain
  }
}
