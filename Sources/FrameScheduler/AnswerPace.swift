/// The times at which flips of a VM with a cap are reported to it: at even intervals of its rate, never before the
/// flip.
///
/// A rate that does not divide the refresh rate is shown unevenly: 24 on 60 Hz after 2 and 3 vblanks in turn. A guest
/// that draws its next frame after the report of the last one would wait 50 ms for every other flip, longer than
/// Linux's timeout. With even reports it waits for one interval at most.
public struct AnswerPace: Sendable {
  private var dueAt: Nanoseconds = .min / 2

  /// No frame was shown yet.
  public init() {}

  /// The time to report a flip: at once, or at most one period later.
  ///
  /// - Parameters:
  ///   - flip: the time of the flip.
  ///   - rateMillihertz: the VM's cap, at least 1.
  ///   - periodNanoseconds: between two vblanks.
  public mutating func time(
    ofFlip flip: Nanoseconds, rateMillihertz: Int64, periodNanoseconds: Nanoseconds
  ) -> Nanoseconds {
    let interval = 1_000_000_000_000 / max(rateMillihertz, 1)
    let time = min(max(flip, dueAt), flip + periodNanoseconds)
    // Flips jitter: one that comes a little early must not delay all that follow.
    dueAt = max(dueAt + interval, time + interval - interval / 32)
    return time
  }
}
