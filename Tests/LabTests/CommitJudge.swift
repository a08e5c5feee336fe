import StatusModel

/// Checks from the daemon's record that frames received in time were committed in time, no matter how late a busy
/// machine lets a client draw or the daemon run.
struct CommitJudge {
  /// How long before a commit a frame must be received to be in time: longer than composing all tiles takes.
  private static let marginNanoseconds: UInt64 = 5_000_000

  /// The times of a flipped frame, CLOCK_MONOTONIC.
  private struct ShownFrame {
    var presentedNanoseconds: UInt64
    var latchedNanoseconds: UInt64
    var flippedNanoseconds: UInt64

    init?(_ frame: DaemonTrace.Frame) {
      guard let flipped = frame.flippedNanoseconds else { return nil }
      presentedNanoseconds = frame.presentedNanoseconds
      latchedNanoseconds = frame.latchedNanoseconds ?? flipped
      flippedNanoseconds = flipped
    }
  }

  /// Frames that were judged.
  private(set) var frameCount = 0
  /// Frames that were in time for a commit of their output but were in a later one.
  private(set) var missedCount = 0

  /// Checks the last frames of these VMs, which share an output.
  init(_ host: LabHost, vms: [String], last count: Int) throws {
    let frames = try host.trace().scanouts.filter { vms.contains($0.vm) }
      .flatMap { $0.frames.compactMap(ShownFrame.init).suffix(count) }
    // Frames of one commit are on screen at the same moment; it began with the first of them.
    var begins: [UInt64: UInt64] = [:]
    for frame in frames {
      begins[frame.flippedNanoseconds] = min(begins[frame.flippedNanoseconds] ?? .max, frame.latchedNanoseconds)
    }
    for frame in frames {
      frameCount += 1
      let wasInTime = begins.contains { flip, begin in
        flip < frame.flippedNanoseconds && begin >= frame.presentedNanoseconds + CommitJudge.marginNanoseconds
      }
      if wasInTime { missedCount += 1 }
    }
  }

  /// The part of the frames that were missed, in percent.
  var missedPercent: Double { 100 * Double(missedCount) / Double(max(frameCount, 1)) }
}
