import LinuxIO
import Outputs
import Scanout

/// An output's pending commit, if there is one.
///
/// The kernel's event ends it, at the vblank in the event. A timer ends it if the driver has no vblanks, or if there
/// may be no event.
struct CommitProgress: ~Copyable {
  /// The end of a commit.
  struct End {
    var frame: OutputFrame
    /// CLOCK_MONOTONIC of the vblank.
    var timeNanoseconds: UInt64
    var sequence: UInt64
    /// Whether the vblank is later than the commit's target.
    var isLate: Bool
  }

  private struct Pending {
    var frame: OutputFrame
    /// The target vblank; nil for a mode set.
    var target: UInt64?
    /// Whether the kernel's event is still to come; else the timer ends the commit.
    var waitsForKernel: Bool
  }

  /// Readable at the end of a commit without an event.
  let timer: TimerFD
  /// The number of the last commit. The kernel returns it in the event, so that a late event does not end a later
  /// commit.
  private(set) var number: UInt64 = 0
  private var pending: Pending?
  private var vblanks: VblankSource

  /// - Parameter vblanks: until `start` finds those of the driver.
  init(
    vblanks: VblankSource = .software(VblankGrid(epochNanoseconds: 0, firstSequence: 0, refreshMillihertz: 1))
  ) throws(SystemError) {
    self.vblanks = vblanks
    timer = try TimerFD()
  }

  /// Whether a commit is pending.
  var isUnderWay: Bool { pending != nil }

  /// Determines once, while the CRTC is on, whether the driver has vblanks.
  mutating func start(_ device: CardDevice, _ crtcID: UInt32, _ mode: DisplayMode) {
    vblanks = VblankSource(device, crtcID, mode)
  }

  /// Switches to the rate of another mode.
  mutating func changeMode(_ mode: DisplayMode) { vblanks.changeMode(mode) }

  /// The target vblank of a commit made now.
  mutating func nextVblank(_ device: CardDevice, _ crtcID: UInt32) -> UInt64 { vblanks.next(device, crtcID) }

  /// A number for a commit that is about to be submitted.
  mutating func nextNumber() -> UInt64 {
    number &+= 1
    return number
  }

  /// A commit was submitted.
  ///
  /// - Parameters:
  ///   - target: the target vblank; nil for a mode set.
  ///   - waitsForKernel: whether the kernel's event will come; else arm the timer.
  mutating func begin(_ frame: OutputFrame, target: UInt64? = nil, waitsForKernel: Bool = true) {
    pending = Pending(frame: frame, target: target, waitsForKernel: waitsForKernel)
  }

  /// The pending commit is submitted in another form, with or without an event.
  mutating func resubmitted(waitsForKernel: Bool) { pending?.waitsForKernel = waitsForKernel }

  /// Drops the pending commit, which will not end.
  mutating func cancel() {
    timer.disarm()
    pending = nil
  }

  /// Handles the kernel's event; returns the end of the commit if it has come. Otherwise the event is late, or the timer
  /// was armed for the end.
  mutating func flipped(_ flip: PageFlip) -> End? {
    guard let commit = pending, commit.waitsForKernel, flip.commitNumber == number else { return nil }
    timer.disarm()
    switch vblanks.flipped(flip, target: commit.target) {
    case .now(let time, let sequence, let isLate):
      pending = nil
      return End(frame: commit.frame, timeNanoseconds: time, sequence: sequence, isLate: isLate)
    case .at(let deadline):
      pending?.waitsForKernel = false
      timer.arm(deadlineNanoseconds: deadline)
      return nil
    }
  }

  /// The timer has expired; returns the end of the pending commit.
  mutating func timerExpired() -> End? {
    guard let commit = pending.take() else { return nil }
    let end = vblanks.timerEnd(at: monotonicNanoseconds(), target: commit.target)
    return End(
      frame: commit.frame, timeNanoseconds: end.timeNanoseconds, sequence: end.sequence, isLate: false)
  }
}
