import Outputs

/// The vblanks of a CRTC by its flip events: the kernel's 32-bit counter extended to 64 bits, and the vblank that the
/// next commit will reach.
struct VblankClock: Equatable {
  /// The vblank of the last flip, or of the last query.
  private(set) var sequence: UInt64
  /// The time of that vblank in nanoseconds.
  private(set) var timeNanoseconds: UInt64
  /// The nanoseconds between two vblanks.
  var periodNanoseconds: UInt64

  /// How long the period may be extrapolated before the kernel must be queried: a clock that is off by 1000 ppm is then
  /// still off by less than a hundredth of a 60 Hz period.
  static let trustNanoseconds: UInt64 = 100_000_000

  init(sequence: UInt64, timeNanoseconds: UInt64, periodNanoseconds: UInt64) {
    self.sequence = sequence
    self.timeNanoseconds = timeNanoseconds
    self.periodNanoseconds = max(periodNanoseconds, 1)
  }

  /// Whether the last flip is too old to extrapolate the current vblank.
  func isStale(at nanoseconds: UInt64) -> Bool {
    nanoseconds > timeNanoseconds && nanoseconds - timeNanoseconds > VblankClock.trustNanoseconds
  }

  /// Takes the kernel's answer to a query.
  mutating func resynchronise(sequence: UInt64, timeNanoseconds: UInt64) {
    self.sequence = max(sequence, self.sequence)
    self.timeNanoseconds = max(timeNanoseconds, self.timeNanoseconds)
  }

  /// The vblank that a commit at that time will reach.
  func next(after nanoseconds: UInt64) -> UInt64 {
    let elapsed = nanoseconds > timeNanoseconds ? nanoseconds - timeNanoseconds : 0
    return sequence + elapsed / periodNanoseconds + 1
  }

  /// Takes a flip event; the result always rises, also if the counter restarts at a mode set.
  mutating func flipped(_ flip: PageFlip) -> UInt64 {
    let step = Int32(bitPattern: flip.sequence &- UInt32(truncatingIfNeeded: sequence))
    sequence += step > 0 ? UInt64(step) : 1
    timeNanoseconds = max(flip.timeNanoseconds, timeNanoseconds)
    return sequence
  }
}
