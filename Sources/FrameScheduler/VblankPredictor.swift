/// Predicts vblanks by a linear regression over the last flips, as SurfaceFlinger's VSyncPredictor does.
///
/// Vblanks are counted by an index of its own that starts at 0 and only grows, whatever the kernel's counter does at
/// a mode set or a resume. All in integers: the slope has 16 fractional bits.
public struct VblankPredictor: Sendable {
  static let windowLength = 32
  /// A longer pause than this many vblanks empties the window; the slope stays.
  static let maximumGap: Int64 = 256

  private(set) var nominalPeriod: Nanoseconds
  private var indices: [Int64]
  private var times: [Nanoseconds]
  private var count = 0
  private var next = 0
  private var outliers = 0
  private var lastSequence: UInt64 = 0
  private var anchorTime: Nanoseconds = 0
  private var anchorIndex: Int64 = 0
  /// Nanoseconds per vblank, 16 fractional bits.
  private var slope: Int64

  /// The index of the last vblank that was reported.
  public private(set) var lastIndex: Int64 = -1
  /// The time of the last vblank that was reported.
  public private(set) var lastTime: Nanoseconds = 0

  /// Whether there is a vblank to predict from.
  public var isAnchored: Bool { count > 0 }

  /// The predicted time between two vblanks.
  public var periodNanoseconds: Nanoseconds { slope >> 16 }

  /// Starts with the mode's nominal period.
  public init(periodNanoseconds: Nanoseconds) {
    nominalPeriod = periodNanoseconds
    slope = periodNanoseconds << 16
    indices = [Int64](repeating: 0, count: Self.windowLength)
    times = [Nanoseconds](repeating: 0, count: Self.windowLength)
  }

  /// Takes the kernel's vblank counter and time of a flip and returns the index of that vblank.
  ///
  /// A counter that contradicts the time (reset, another CRTC) is ignored. A time that is off by more than a quarter of
  /// a period is an outlier; after three in a row the model starts over.
  ///
  /// - `index`: the least that the very first vblank of a model is counted as.
  @discardableResult
  public mutating func add(sequence: UInt64, time: Nanoseconds, notBefore index: Int64 = 0) -> Int64 {
    guard isAnchored else {
      lastIndex = max(lastIndex + 1, index)
      restart(sequence: sequence, time: time)
      return lastIndex
    }
    let elapsed = max(0, time - lastTime)
    let byTime = max(1, (elapsed + periodNanoseconds / 2) / periodNanoseconds)
    var step = byTime
    let bySequence = sequence &- lastSequence
    if bySequence > 0, bySequence < 1 << 32, abs(Int64(bySequence) - byTime) <= 1 { step = Int64(bySequence) }
    lastIndex += step
    let error = abs(time - self.time(of: lastIndex))
    if error > periodNanoseconds / 4 {
      outliers += 1
      if outliers >= 3 { restart(sequence: sequence, time: time) }
      lastSequence = sequence
      lastTime = time
      return lastIndex
    }
    outliers = 0
    if step > Self.maximumGap { (count, next) = (0, 0) }
    lastSequence = sequence
    lastTime = time
    append(index: lastIndex, time: time)
    fit()
    return lastIndex
  }

  /// The predicted time of a vblank.
  public func time(of index: Int64) -> Nanoseconds {
    let distance = index - anchorIndex
    return anchorTime + distance * (slope >> 16) + ((distance * (slope & 0xffff)) >> 16)
  }

  /// The first vblank at or after a time.
  public func index(atOrAfter time: Nanoseconds) -> Int64 {
    var index = anchorIndex + (time - anchorTime) / periodNanoseconds
    while self.time(of: index) < time { index += 1 }
    while self.time(of: index - 1) >= time { index -= 1 }
    return index
  }

  /// Applies another mode: the index goes on, the model starts over.
  mutating func setPeriod(_ period: Nanoseconds) {
    nominalPeriod = period
    slope = period << 16
    count = 0
    next = 0
    outliers = 0
  }

  private mutating func restart(sequence: UInt64, time: Nanoseconds) {
    count = 0
    next = 0
    outliers = 0
    slope = nominalPeriod << 16
    lastSequence = sequence
    lastTime = time
    append(index: lastIndex, time: time)
    anchorIndex = lastIndex
    anchorTime = time
  }

  private mutating func append(index: Int64, time: Nanoseconds) {
    indices[next] = index
    times[next] = time
    next = (next + 1) % Self.windowLength
    count = min(count + 1, Self.windowLength)
  }

  /// Least squares, relative to the newest sample so that the sums stay below 2^63.
  private mutating func fit() {
    var sumX: Int64 = 0
    var sumY: Int64 = 0
    var sumXX: Int64 = 0
    var sumXY: Int64 = 0
    let period = slope >> 16
    // The first `count` samples, in any order.
    for sample in 0..<count {
      // Against the present slope the residuals are small, which keeps the products small.
      let x = indices[sample] - lastIndex
      let y = times[sample] - lastTime - x * period
      sumX += x
      sumY += y
      sumXX += x * x
      sumXY += x * y
    }
    let samples = Int64(count)
    let denominator = samples * sumXX - sumX * sumX
    anchorIndex = lastIndex
    if count >= 8, denominator > 0 {
      let numerator = Int128(samples * sumXY - sumX * sumY) << 16
      let correction = Int64(truncatingIfNeeded: numerator / Int128(denominator))
      let limit = nominalPeriod << 10
      slope = min(max((period << 16) + correction, (nominalPeriod << 16) - limit), (nominalPeriod << 16) + limit)
    }
    let fraction = slope - (period << 16)
    anchorTime = lastTime + (sumY - ((sumX * fraction) >> 16)) / samples
  }
}
