/// The order of a guest's fences: answering one means that all before it are done, too.
///
/// One timeline for all commands, and one for each context's ring (VIRTIO_GPU_FLAG_INFO_RING_IDX).
struct FenceTimeline: Equatable {
  private var ring: UInt64?

  init(_ header: ControlHeader) {
    if header.flags & ControlHeader.ringIndexFlag != 0 {
      ring = UInt64(header.contextID) << 8 | UInt64(header.ringIndex)
    }
  }
}

/// A fenced command whose answer waits: a flush that waits for its flips, or a command queued after one.
struct PendingAnswer {
  let token: UInt64
  let timeline: FenceTimeline
  let deadlineNanoseconds: UInt64
  /// The scanouts that have not shown it yet, as one bit each.
  var scanouts: UInt16 = 0
  /// The frame of each scanout.
  var frames = InlineArray<16, UInt64>(repeating: 0)

  /// Whether it waits only for the answers before it.
  var isSettled: Bool { scanouts == 0 }
}

/// Fenced commands without an answer, in the guest's order.
struct PendingAnswers {
  /// Beyond this number all are answered at once, in order.
  static let capacity = 256

  private var answers: [PendingAnswer] = []
  private var lastToken: UInt64 = 0

  init() { answers.reserveCapacity(PendingAnswers.capacity) }

  var isFull: Bool { answers.count >= PendingAnswers.capacity }

  /// The deadline of the first answer; all wait equally long, so none is due earlier.
  var firstDeadline: UInt64? { answers.first?.deadlineNanoseconds }

  /// Whether an answer on that timeline would overtake a waiting one.
  func contains(_ timeline: FenceTimeline) -> Bool { answers.contains { $0.timeline == timeline } }

  /// Adds a command and returns its token.
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

  /// Marks the flushes that a scanout has completed.
  mutating func settle(scanout: Int, isSettled: (_ frame: UInt64) -> Bool) {
    let bit = UInt16(1) << scanout
    for index in answers.indices where answers[index].scanouts & bit != 0 {
      if isSettled(answers[index].frames[scanout]) { answers[index].scanouts &= ~bit }
    }
  }

  /// Completes the answers that are due, and all before them.
  mutating func settleDue(nowNanoseconds: UInt64) {
    for index in answers.indices where answers[index].deadlineNanoseconds <= nowNanoseconds {
      answers[index].scanouts = 0
    }
  }

  /// Removes and returns the next command that may be answered; nil if all must wait.
  mutating func takeNext() -> UInt64? {
    for index in answers.indices where answers[index].isSettled {
      let timeline = answers[index].timeline
      if answers[..<index].contains(where: { $0.timeline == timeline }) { continue }
      return answers.remove(at: index).token
    }
    return nil
  }

  /// Removes and returns the first command, complete or not.
  mutating func takeFirst() -> UInt64? { answers.isEmpty ? nil : answers.removeFirst().token }

  mutating func removeAll() { answers.removeAll(keepingCapacity: true) }
}
