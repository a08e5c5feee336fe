import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import Scanout

/// The power state of one output: by command, by idle timeouts, and as committed.
struct PowerControl {
  /// The state set by command.
  private(set) var commanded = OutputPower.on { didSet { effective = max(commanded, idle) } }
  /// The state set by idle timeouts.
  private(set) var idle = OutputPower.on { didSet { effective = max(commanded, idle) } }
  /// The resulting state.
  private(set) var effective = OutputPower.on
  private(set) var limits = IdleLimits()
  /// Whether an idle timer runs, so that changes must be recorded.
  private(set) var watchesIdle = false
  /// The time of the last change.
  private var lastChange: Nanoseconds = 0
  /// The last committed state.
  private(set) var committed = OutputPower.on
  /// Whether another console is shown: the output belongs to others, and gets no commits.
  private(set) var isAway = false
  /// Whether VMs' pictures are shown.
  var showsPictures: Bool { effective == .on && !isAway }
  /// The buffer of a blank output.
  private var black: (any ScanoutBuffer)?
  /// Fires when the output may have been idle for long enough; not re-armed at every change.
  private var timer: PresentTimer?

  /// Applies a command; restarts the idle time.
  mutating func command(_ wanted: OutputPower, at now: Nanoseconds) {
    commanded = wanted
    pictureChanged(at: now)
    updateIdle(at: now)
  }

  /// Sets the idle timeouts; restarts the idle time.
  ///
  /// - Parameter fired: called when the timer has fired, for `updateIdle`.
  mutating func setLimits(
    _ limits: IdleLimits, at now: Nanoseconds, on loop: EventLoop, _ clock: PresentClock,
    fired: @escaping () -> Void
  ) throws(SystemError) {
    self.limits = limits
    watchesIdle = !limits.isNever
    pictureChanged(at: now)
    defer { updateIdle(at: now) }
    if !watchesIdle {
      timer = nil
    } else if timer == nil {
      timer = try clock.timer(on: loop, fired: fired)
    }
  }

  /// Records a change of the picture or a cursor movement, which turns on an output that was idle.
  mutating func pictureChanged(at now: Nanoseconds) {
    lastChange = now
    idle = .on
  }

  /// Updates the state from the idle time, and sets the timer to the next step.
  mutating func updateIdle(at now: Nanoseconds) {
    if !watchesIdle { return }
    idle = limits.power(afterIdle: now - lastChange)
    if let next = limits.nextStep(afterIdle: now - lastChange) { timer?.arm(UInt64(clamping: lastChange + next)) }
  }

  /// Another console is shown, or this one again: then the output was turned off.
  mutating func setAway(_ isAway: Bool) {
    self.isAway = isAway
    committed = .off
    black = nil
  }

  /// Commits black or turns the output off; false if nothing needs to be done.
  ///
  /// - Parameter hasPicture: whether anything is on screen.
  mutating func commitDarkness(on output: any Output, hasPicture: Bool) throws(OutputError) -> Bool {
    let wanted = effective
    if wanted == committed || isAway { return false }
    // Black would wake a monitor that sleeps because no VM shows anything.
    if wanted == .blank, committed == .on, !hasPicture { return false }
    let mode = output.info.mode
    var frame = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
    if wanted == .blank {
      let black = try output.makeBuffer(width: mode.width, height: mode.height, format: .xrgb8888)
      let bounds = Rect(width: mode.width, height: mode.height)
      frame = OutputFrame(buffer: black, source: bounds, damage: DamageRegion(bounds), cursor: nil)
      self.black = black
    }
    try output.commit(frame, fit: .mode(mode))
    if wanted == .off { black = nil }
    committed = wanted
    return true
  }

  /// Records that a picture was committed.
  mutating func pictureCommitted() {
    committed = .on
    black = nil
  }

  /// Releases the timer and the black buffer.
  mutating func close() {
    timer = nil
    black = nil
  }
}
