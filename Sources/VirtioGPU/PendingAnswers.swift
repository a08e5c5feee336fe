/// The order that a guest's fences are in: answering one tells the guest that all before it are done, too.
///
/// One for everything, but those of a context's ring (VIRTIO_GPU_FLAG_INFO_RING_IDX).
struct FenceTimeline: Equatable {
  private var ring: UInt64?

  init(_ header: ControlHeader) {
    if header.flags & ControlHeader.ringIndexFlag != 0 {
      ring = UInt64(header.contextID) << 8 | UInt64(header.ringIndex)
    }
  }
}

/// A fenced command whose answer waits: a flush for its frames to be on screen, and whatever came after a flush for it.
struct PendingAnswer {
  let token: UInt64
  let timeline: FenceTimeline
  let deadlineNanoseconds: UInt64
  /// Scanouts that have yet to show it, one bit each.
  var scanouts: UInt16 = 0
  /// The frame of each of them.
  var frames = InlineArray<16, UInt64>(repeating: 0)

  /// Whether it waits for nothing but the answers before it.
  var isSettled: Bool { scanouts == 0 }
}

/// Fenced commands without an answer, in the guest's order.
struct PendingAnswers {
  /// More are answered at once, in their order.
  static let capacity = 256

  private var answers: [PendingAnswer] = []
  private var lastToken: UInt64 = 0

  init() { answers.reserveCapacity(PendingAnswers.capacity) }

  var isFull: Bool { answers.count >= PendingAnswers.capacity }

  /// When the first one is due; all wait the same time, so none is due earlier.
  var firstDeadline: UInt64? { answers.first?.deadlineNanoseconds }

  /// Whether an answer on that timeline would overtake one.
  func contains(_ timeline: FenceTimeline) -> Bool { answers.contains { $0.timeline == timeline } }

  /// Notes a command; its token.
  mutating func add(
    _ timeline: FenceTimeline, deadlineNanoseconds: UInt64, scanouts: UInt16 = 0,
    frames: InlineArray<16, UInt64> = InlineArray<16, UInt64>(repeating: 0)
  ) -> UInt64 {
    lastToken += 1
    answers.append(
      PendingAnswer(
        token: lastToken, timeline: timeline, deadlineNanoseconds: deadlineNanoseconds, scanouts: scanouts,
        frames: frames))
    return lastToken
  }

  /// Notes which flushes a scanout has settled.
  mutating func settle(scanout: Int, isSettled: (_ frame: UInt64) -> Bool) {
    let bit = UInt16(1) << scanout
    for index in answers.indices where answers[index].scanouts & bit != 0 {
      if isSettled(answers[index].frames[scanout]) { answers[index].scanouts &= ~bit }
    }
  }

  /// Settles what is due, and so everything before it.
  mutating func settleDue(nowNanoseconds: UInt64) {
    for index in answers.indices where answers[index].deadlineNanoseconds <= nowNanoseconds {
      answers[index].scanouts = 0
    }
  }

  /// The next command that may be answered, taken out; nil where all have to wait.
  mutating func takeNext() -> UInt64? {
    for index in answers.indices where answers[index].isSettled {
      let timeline = answers[index].timeline
      if answers[..<index].contains(where: { $0.timeline == timeline }) { continue }
      return answers.remove(at: index).token
    }
    return nil
  }

  /// The first one, whether it is settled or not.
  mutating func takeFirst() -> UInt64? { answers.isEmpty ? nil : answers.removeFirst().token }

  mutating func removeAll() { answers.removeAll(keepingCapacity: true) }
}
