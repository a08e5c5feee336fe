import LinuxIO
import Outputs
import Scanout

/// The source of an output's vblanks: the driver's counter, or a time grid if the driver has none (it then ends every
/// commit at once).
enum VblankSource {
  case hardware(VblankClock)
  case software(VblankGrid)

  /// How a commit ends after the kernel's event.
  enum End: Equatable {
    /// At once, with that time and number; late if it missed its target vblank.
    case now(timeNanoseconds: UInt64, sequence: UInt64, isLate: Bool)
    /// Later, by a timer.
    case at(deadlineNanoseconds: UInt64)
  }

  /// Queries the driver once, while the CRTC is on.
  init(_ device: CardDevice, _ crtcID: UInt32, _ mode: DisplayMode) {
    if let now = device.vblank(of: crtcID) {
      self = .hardware(
        VblankClock(
          sequence: now.sequence, timeNanoseconds: now.timeNanoseconds, periodNanoseconds: mode.periodNanoseconds))
    } else {
      self = .software(
        VblankGrid(
          epochNanoseconds: monotonicNanoseconds(), firstSequence: 0,
          refreshMillihertz: UInt64(max(mode.refreshMillihertz, 1))))
    }
  }

  /// The vblank that a commit made now should reach.
  mutating func next(_ device: CardDevice, _ crtcID: UInt32) -> UInt64 {
    let now = monotonicNanoseconds()
    switch self {
    case .hardware(var clock):
      if clock.isStale(at: now), let read = device.vblank(of: crtcID) {
        clock.resynchronise(sequence: read.sequence, timeNanoseconds: read.timeNanoseconds)
        self = .hardware(clock)
      }
      return clock.next(after: now)
    case .software(let grid):
      return grid.sequence(at: now) + 1
    }
  }

  /// Handles the kernel's event.
  mutating func flipped(_ flip: PageFlip, target: UInt64?) -> End {
    switch self {
    case .hardware(var clock):
      let sequence = clock.flipped(flip)
      self = .hardware(clock)
      return .now(
        timeNanoseconds: clock.timeNanoseconds, sequence: sequence, isLate: target.map { sequence > $0 } ?? false)
    case .software(let grid):
      let now = monotonicNanoseconds()
      let wanted = target ?? grid.sequence(at: now) + 1
      let deadline = grid.time(of: wanted)
      if deadline > now { return .at(deadlineNanoseconds: deadline) }
      let reached = grid.sequence(at: now)
      return .now(timeNanoseconds: grid.time(of: reached), sequence: reached, isLate: reached > wanted)
    }
  }

  /// The vblank at which the timer expired.
  mutating func timerEnd(at nanoseconds: UInt64, target: UInt64?) -> (timeNanoseconds: UInt64, sequence: UInt64) {
    switch self {
    case .hardware(var clock):
      let sequence = clock.next(after: nanoseconds)
      clock.resynchronise(sequence: sequence, timeNanoseconds: nanoseconds)
      self = .hardware(clock)
      return (nanoseconds, sequence)
    case .software(let grid):
      let sequence = target ?? grid.sequence(at: nanoseconds)
      return (grid.time(of: sequence), sequence)
    }
  }

  /// Switches to another rate; numbers keep rising.
  mutating func changeMode(_ mode: DisplayMode) {
    switch self {
    case .hardware(var clock):
      clock.periodNanoseconds = max(mode.periodNanoseconds, 1)
      self = .hardware(clock)
    case .software(let grid):
      self = .software(
        grid.changed(toMillihertz: UInt64(max(mode.refreshMillihertz, 1)), at: monotonicNanoseconds()))
    }
  }
}
