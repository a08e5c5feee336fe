import DaemonSettings
import FrameScheduler
import PresentProtocol

/// Flips whose FRAME_DONE is delayed, so that a rate cap paces its client evenly.
///
/// At most one per VM: a VM's next frame flips after the answer to its last one.
struct DeferredAnswers {
  struct Answer {
    let vm: VMID
    let surface: Surface
    let frame: UInt64
    /// CLOCK_MONOTONIC of the flip.
    let timeNanoseconds: UInt64
    let sequence: UInt64

    func send() { surface.frameDone(frame, .flipped, timeNanoseconds: timeNanoseconds, sequence: sequence) }
  }

  private var waiting: [(answer: Answer, dueAt: Nanoseconds)] = []
  private var paces: [VMID: AnswerPace] = [:]

  /// Whether no answer is waiting.
  private(set) var isEmpty = true

  /// When the next answer is due; nil if none is waiting.
  var nextDue: Nanoseconds? {
    if waiting.isEmpty { return nil }
    var earliest = Nanoseconds.max
    for entry in waiting { earliest = min(earliest, entry.dueAt) }
    return earliest
  }

  /// Sends an answer at the time that the VM's cap allows: now, or at most one period after the flip.
  mutating func send(
    _ answer: Answer, rateMillihertz: Int64, periodNanoseconds: Nanoseconds, flippedAt flip: Nanoseconds,
    now: Nanoseconds
  ) {
    let due = paces[answer.vm, default: AnswerPace()].time(
      ofFlip: flip, rateMillihertz: rateMillihertz, periodNanoseconds: periodNanoseconds)
    if due <= now { return answer.send() }
    waiting.append((answer, due))
    isEmpty = false
  }

  /// Sends the answers that are due.
  mutating func sendDue(at now: Nanoseconds) { send { $0.dueAt <= now } }

  /// Sends a VM's answer now. Its buffer's release may follow.
  mutating func sendNow(to vm: VMID) { send { $0.answer.vm == vm } }

  /// Sends the answers to frames that leave the screen, before their buffers are released.
  mutating func send(leaving old: Presenter.Picture, for new: Presenter.Picture) {
    send { entry in
      guard let left = old.frameNumber(of: entry.answer.vm) else { return false }
      return new.frameNumber(of: entry.answer.vm) != left
    }
  }

  /// Discards the answer of a VM that leaves the output.
  mutating func forget(_ vm: VMID) {
    sendNow(to: vm)
    paces[vm] = nil
  }

  private mutating func send(where isDue: ((answer: Answer, dueAt: Nanoseconds)) -> Bool) {
    while let index = waiting.firstIndex(where: isDue) {
      let answer = waiting.remove(at: index).answer
      isEmpty = waiting.isEmpty
      answer.send()
    }
  }
}
