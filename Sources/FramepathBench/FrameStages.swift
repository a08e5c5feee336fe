import StatusModel

/// How long the frames of a phase took from the guest's kick to each stage of their way, ns.
///
/// Of the last 512 frames at most: so many the daemon remembers. Every value is kept and sorted, nothing is rounded into
/// buckets; a frame that never reached a stage (superseded, or still on screen) is not in it.
public struct FrameStages: Codable, Equatable, Sendable {
  /// The backend has taken it from the guest. Guests that stamp their frames themselves have 0 here.
  public var taken: Percentiles
  /// Its PRESENT has reached the daemon.
  public var presented: Percentiles
  /// The daemon has committed it.
  public var latched: Percentiles
  /// It was on screen.
  public var flipped: Percentiles
  /// Its buffer had left the screen.
  public var released: Percentiles
  /// From one frame's flip to the next one's.
  public var interval: Percentiles
  /// Whether times begin at the guest's kick. A backend that leaves frames out for newer ones hides which kick was whose:
  /// then they begin where the backend took the frame.
  public var isFromKick: Bool
  /// What the screen's rate says between two flips.
  public var periodNanoseconds: UInt64

  /// The interval that half of all frames keep, in periods of the screen: 1 is no vblank missed.
  public var medianPeriods: Double { periods(interval.median) }
  /// The interval that 99 of 100 frames keep, in periods of the screen.
  public var p99Periods: Double { periods(interval.p99) }

  /// The stages in their order, for tables.
  public enum Stage: String, CaseIterable, Sendable {
    case backend
    case daemon
    case latch
    case flip
    case release
  }

  /// How long frames took from the kick to a stage, ns.
  public subscript(stage: Stage) -> Percentiles {
    switch stage {
    case .backend: taken
    case .daemon: presented
    case .latch: latched
    case .flip: flipped
    case .release: released
    }
  }

  private func periods(_ nanoseconds: UInt64) -> Double {
    periodNanoseconds == 0 ? 0 : Double(nanoseconds) / Double(periodNanoseconds)
  }

  /// Of frames in the daemon's order.
  ///
  /// - Parameters:
  ///   - frames: what the daemon remembers of the phase, the oldest first.
  ///   - kicks: when the guest handed over its last frames, the oldest first. The last one belongs to the last frame;
  ///     empty where a backend has left frames out: then the way begins where the backend took the frame.
  init(_ frames: ArraySlice<DaemonTrace.Frame>, kicks: [UInt64], periodNanoseconds: UInt64) {
    self.periodNanoseconds = periodNanoseconds
    isFromKick = !kicks.isEmpty
    let starts = kicks.isEmpty ? frames.map { $0.readyNanoseconds ?? 0 } : kicks
    let pairs = Array(zip(frames.reversed(), starts.reversed()))
    let times = { (stage: (DaemonTrace.Frame) -> UInt64?) -> Percentiles in
      Percentiles(
        pairs.compactMap { frame, start in
          guard let time = stage(frame), time >= start else { return nil }
          return time - start
        })
    }
    taken = times { $0.readyNanoseconds }
    presented = times { $0.presentedNanoseconds }
    latched = times { $0.latchedNanoseconds }
    flipped = times { $0.flippedNanoseconds }
    released = times { $0.releasedNanoseconds }
    let flips = frames.compactMap(\.flippedNanoseconds)
    interval = Percentiles(
      zip(flips, flips.dropFirst()).map { earlier, later in later >= earlier ? later - earlier : 0 })
  }
}

/// When the last frames of a load were handed over; the oldest are forgotten.
struct KickTimes: Equatable {
  /// As many as the daemon remembers.
  static let capacity = 512
  private var times: [UInt64] = []
  private var next = 0

  init() { times.reserveCapacity(KickTimes.capacity) }

  /// A frame was handed over.
  mutating func add(_ nanoseconds: UInt64) {
    if times.count < KickTimes.capacity { times.append(nanoseconds) } else { times[next] = nanoseconds }
    next = (next + 1) % KickTimes.capacity
  }

  /// The oldest first.
  var ordered: [UInt64] { times.count < KickTimes.capacity ? times : Array(times[next...] + times[..<next]) }
}
