import PresentProtocol

/// The last frames of one scanout, with the times of their stages: what `framepath trace` shows.
///
/// A ring that is allocated once; a frame costs a few stores.
struct FrameTrace {
  /// One frame. All times are CLOCK_MONOTONIC, 0 for what has not happened.
  struct Record {
    var frame: UInt64
    var path: PresentPath
    var copies: UInt32
    var copiedBytes: UInt64
    /// The guest handed it over.
    var readyNanoseconds: UInt64
    /// Its PRESENT came.
    var presentedNanoseconds: UInt64
    /// It was committed.
    var latchedNanoseconds: UInt64 = 0
    /// It was on screen.
    var flippedNanoseconds: UInt64 = 0
    /// Its buffer had left the screen.
    var releasedNanoseconds: UInt64 = 0
    /// nil while nothing is decided.
    var outcome: PresentOutcome?
  }

  /// 8 s of 60 Hz.
  static let capacity = 512
  /// A frame's end comes after few others have begun.
  private static let searchDepth = 32

  private var records: [Record] = []
  private var next = 0

  init() { records.reserveCapacity(FrameTrace.capacity) }

  /// A frame came.
  mutating func begin(_ record: Record) {
    if records.count < FrameTrace.capacity {
      records.append(record)
    } else {
      records[next] = record
    }
    next = (next + 1) % FrameTrace.capacity
  }

  /// Something happened to a frame; one that is not known any more is passed over.
  mutating func update(_ frame: UInt64, _ change: (inout Record) -> Void) {
    for back in 1...FrameTrace.searchDepth where back <= records.count {
      let index = (next - back + FrameTrace.capacity) % FrameTrace.capacity
      guard records[index].frame == frame else { continue }
      change(&records[index])
      return
    }
  }

  /// From the oldest to the newest.
  var ordered: [Record] {
    records.count < FrameTrace.capacity ? records : Array(records[next...] + records[..<next])
  }
}
