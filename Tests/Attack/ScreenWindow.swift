import LinuxIO
import PresentClient
import StatusModel

/// The victim's screen during a time, as the daemon counts it.
struct ScreenWindow: Codable {
  /// Frames that came on screen.
  var framesPerSecond: Double
  /// The 99th percentile of the time between two of them, ms.
  var p99Milliseconds: Double
  /// The longest time in which the control socket answered, ms.
  var slowestAnswerMilliseconds: Double
}

/// Reads the daemon's counters of one VM.
struct ScreenWatch {
  let vm: String
  let controlSocket: String

  /// A reading of the counter at a time of the daemon's.
  struct Reading {
    var flipped: UInt64
    var nanoseconds: UInt64
    var answerNanoseconds: UInt64
  }

  func read() throws -> Reading {
    let asked = monotonicNanoseconds()
    let status = try PresentTool.status(path: controlSocket)
    let flipped = status.scanout(ofVM: vm)?.framesFlipped ?? 0
    return Reading(
      flipped: flipped, nanoseconds: status.nowNanoseconds, answerNanoseconds: monotonicNanoseconds() - asked)
  }

  /// Watches for some seconds.
  ///
  /// - Parameter afterwards: what is done before the times of the frames are read.
  func window(seconds: Double, afterwards: () throws -> Void = {}) throws -> ScreenWindow {
    let first = try read()
    var last = first
    var slowest = first.answerNanoseconds
    let end = monotonicNanoseconds() + UInt64(seconds * 1e9)
    while monotonicNanoseconds() < end {
      let rest = end - min(end, monotonicNanoseconds())
      HostProcess.sleep(milliseconds: UInt32(min(rest / 1_000_000 + 1, 250)))
      last = try read()
      slowest = max(slowest, last.answerNanoseconds)
    }
    try afterwards()
    let frames = try PresentTool.trace(path: controlSocket).frames(ofVM: vm) ?? []
    let times = frames.compactMap(\.flippedNanoseconds).filter { (first.nanoseconds...last.nanoseconds).contains($0) }
    let intervals = zip(times.dropFirst(), times).map { $0 - min($0, $1) }.sorted()
    let p99 = intervals.isEmpty ? last.nanoseconds - first.nanoseconds : intervals[(intervals.count * 99) / 100]
    return ScreenWindow(
      framesPerSecond: Double(last.flipped - min(first.flipped, last.flipped)) * 1e9
        / Double(max(last.nanoseconds - first.nanoseconds, 1)), p99Milliseconds: Double(p99) / 1e6,
      slowestAnswerMilliseconds: Double(slowest) / 1e6)
  }
}
