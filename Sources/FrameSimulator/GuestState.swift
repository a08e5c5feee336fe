import FrameScheduler

/// The running state of a simulated VM: which frame it makes next and when.
struct GuestState {
  let model: GuestModel
  private(set) var lastFrame: UInt64 = 0
  private var outstanding = 0
  private var jobsLeft = 0
  private var released: UInt64 = 0
  private var burstLeft = 0

  init(_ model: GuestModel) {
    self.model = model
    if case .bursts(let count, _, _) = model.pacing { burstLeft = count }
  }

  /// The frame that is announced now, and when the next one is made without a fence's doing.
  mutating func makeFrame(at now: Nanoseconds) -> (frame: FrameID, next: Nanoseconds?) {
    lastFrame += 1
    outstanding += 1
    let next: Nanoseconds?
    switch model.pacing {
    case .openLoop(let interval):
      next = now + interval
    case .closedLoop(let draw, let limit):
      next = outstanding < limit ? now + draw : nil
    case .jobs:
      jobsLeft -= 1
      next = jobsLeft > 0 ? now : nil
    case .bursts(let count, let interval, let pause):
      burstLeft -= 1
      if burstLeft == 0 { burstLeft = count }
      next = burstLeft == count ? now + pause : now + interval
    }
    return (FrameID(lastFrame), next)
  }

  /// Whether it may announce now; open loops do not ask.
  mutating func beginsBatch() {
    if case .jobs(let count, _) = model.pacing, jobsLeft <= 0 { jobsLeft = count }
  }

  /// Fences came back: when the next frame is made because of it.
  mutating func release(through frame: FrameID, at now: Nanoseconds) -> Nanoseconds? {
    let last = min(frame.rawValue, lastFrame)
    guard last > released else { return nil }
    let before = outstanding
    outstanding -= Int(last - released)
    released = last
    switch model.pacing {
    case .openLoop, .bursts: return nil
    case .closedLoop(let draw, let limit): return before >= limit ? now + draw : nil
    case .jobs(_, let wait): return outstanding == 0 && jobsLeft <= 0 ? now + wait : nil
    }
  }

  /// After the VM was removed and added again.
  mutating func forget() {
    outstanding = 0
    released = lastFrame
    jobsLeft = 0
  }
}
