/// When a VM with a cap is told that its frame is on screen: at even intervals of its rate, never before the flip.
///
/// A rate that does not divide the refresh rate is shown unevenly: 24 on 60 Hz after 2 and 3 vblanks in turn. A guest
/// that draws its next frame when it is told of the last would wait 50 ms for every other one, longer than Linux waits
/// for a flip. Told at even intervals, it waits no longer than one of them.
public struct AnswerPace: Sendable {
  private var dueAt: Nanoseconds = .min / 2

  /// No frame was shown yet.
  public init() {}

  /// When to tell of a flip; at once, or at most one period later.
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
    // Flips jitter: what comes a little early does not put off all that follow.
    dueAt = max(dueAt + interval, time + interval - interval / 32)
    return time
  }
}
