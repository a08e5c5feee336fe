import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import Scanout

/// Whether one output is on: by the host's command and by its idle timers, and what was committed of that.
struct PowerControl {
  /// By command.
  private(set) var commanded = OutputPower.on { didSet { effective = max(commanded, idle) } }
  /// By the idle timers.
  private(set) var idle = OutputPower.on { didSet { effective = max(commanded, idle) } }
  /// What the output is to be.
  private(set) var effective = OutputPower.on
  private(set) var limits = IdleLimits()
  /// Whether an idle timer runs, so that changes of the picture count.
  private(set) var watchesIdle = false
  /// When the picture changed last.
  private var lastChange: Nanoseconds = 0
  /// What the last commit made of the output.
  private(set) var committed = OutputPower.on
  /// The picture of an output that is blank.
  private var black: (any ScanoutBuffer)?
  /// Fires when the output may have been idle for long enough: not once for every change.
  private var timer: PresentTimer?

  /// Takes the host's command; the idle time starts again.
  mutating func command(_ wanted: OutputPower, at now: Nanoseconds) {
    commanded = wanted
    pictureChanged(at: now)
    updateIdle(at: now)
  }

  /// Takes limits; the idle time starts again.
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

  /// The picture has changed, or a cursor was moved; an output that went dark for want of that is to be on again.
  mutating func pictureChanged(at now: Nanoseconds) {
    lastChange = now
    idle = .on
  }

  /// Looks how long the picture has not changed, and sets the timer to the next step.
  mutating func updateIdle(at now: Nanoseconds) {
    if !watchesIdle { return }
    idle = limits.power(afterIdle: now - lastChange)
    if let next = limits.nextStep(afterIdle: now - lastChange) { timer?.arm(UInt64(clamping: lastChange + next)) }
  }

  /// Commits black or turns the output off; false where it is that way already.
  ///
  /// - Parameter hasPicture: whether anything is on screen.
  mutating func commitDarkness(on output: any Output, hasPicture: Bool) throws(OutputError) -> Bool {
    let wanted = effective
    if wanted == committed { return false }
    // Black would light up a monitor that sleeps because no VM shows anything.
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

  /// A picture was committed: the output is on.
  mutating func pictureCommitted() {
    committed = .on
    black = nil
  }

  /// Lets go of the timer and the black picture.
  mutating func close() {
    timer = nil
    black = nil
  }
}
