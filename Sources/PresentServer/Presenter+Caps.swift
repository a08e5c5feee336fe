import FrameScheduler
import PresentProtocol

extension Presenter {
  /// A flip that a client is to be told of later, so that its cap paces it evenly.
  struct OwedAnswer {
    var frame: UInt64
    var timeNanoseconds: UInt64
    var sequence: UInt64
    var dueAt: Nanoseconds
  }

  /// Tells a client that a frame of its is on screen; that of a VM with a cap in its own time.
  func answerFlip(
    _ frame: UInt64, of head: Surface, _ id: VMID, timeNanoseconds: UInt64, sequence: UInt64,
    flippedAt flip: Nanoseconds
  ) {
    if let tile = tile(id), let rate = scheduler.heldMillihertz(of: id) {
      let due = tile.pace.time(
        ofFlip: flip, rateMillihertz: rate, periodNanoseconds: scheduler.timing.periodNanoseconds)
      if due > now {
        tile.owed = OwedAnswer(frame: frame, timeNanoseconds: timeNanoseconds, sequence: sequence, dueAt: due)
        return
      }
    }
    head.frameDone(frame, .flipped, timeNanoseconds: timeNanoseconds, sequence: sequence)
  }

  /// Gives the answer that a tile's client is owed: its buffer's release may come next.
  func settleOwed(_ tile: Tile) {
    guard let owed = tile.owed.take() else { return }
    tile.head.frameDone(owed.frame, .flipped, timeNanoseconds: owed.timeNanoseconds, sequence: owed.sequence)
  }

  /// Gives the answers that are due.
  func settleOwed(at now: Nanoseconds) {
    for tile in tiles where tile.owed.map({ $0.dueAt <= now }) == true { settleOwed(tile) }
  }

  /// Before a picture's buffers are released: whose frame leaves the screen knows that it was there.
  func settleOwed(leaving picture: Picture) {
    for tile in tiles where tile.owed != nil {
      guard let left = picture.frameNumber(of: tile.id), onScreen.frameNumber(of: tile.id) != left else { continue }
      settleOwed(tile)
    }
  }

  /// When the next answer is due; `nil` where none is owed.
  var nextOwed: Nanoseconds? {
    var earliest = Nanoseconds.max
    for tile in tiles { if let owed = tile.owed { earliest = min(earliest, owed.dueAt) } }
    return earliest == .max ? nil : earliest
  }
}
