import PresentProtocol

/// The last frames of one scanout with the times of their stages, for `framepath trace`.
///
/// A ring that is allocated once; recording a frame takes a few stores.
struct FrameTrace {
  /// One frame. All times are CLOCK_MONOTONIC; nil: not reached.
  struct Record {
    var frame: UInt64
    var path: PresentPath
    var copies: UInt32
    var copiedBytes: UInt64
    /// When the guest presented it; nil if unknown.
    var readyNanoseconds: UInt64?
    /// When its PRESENT was received.
    var presentedNanoseconds: UInt64
    /// When it was committed.
    var latchedNanoseconds: UInt64?
    /// When it was flipped.
    var flippedNanoseconds: UInt64?
    /// When its buffer had left the screen.
    var releasedNanoseconds: UInt64?
    /// The outcome; nil while it is open.
    var outcome: PresentOutcome?
  }

  /// 8 s at 60 Hz.
  static let capacity = 512
  /// Few frames begin before a frame's end.
  private static let searchDepth = 32

  private var records: [Record] = []
  private var next = 0

  init() { records.reserveCapacity(FrameTrace.capacity) }

  /// Records a new frame.
  mutating func begin(_ record: Record) {
    if records.count < FrameTrace.capacity {
      records.append(record)
    } else {
      records[next] = record
    }
    next = (next + 1) % FrameTrace.capacity
  }

  /// Updates a frame's record; does nothing if it has been overwritten.
  mutating func update(_ frame: UInt64, _ change: (inout Record) -> Void) {
    for back in 1...FrameTrace.searchDepth where back <= records.count {
      let index = (next - back + FrameTrace.capacity) % FrameTrace.capacity
      guard records[index].frame == frame else { continue }
      change(&records[index])
      return
    }
  }

  /// The records from the oldest to the newest.
  var ordered: [Record] {
    records.count < FrameTrace.capacity ? records : Array(records[next...] + records[..<next])
  }
}
