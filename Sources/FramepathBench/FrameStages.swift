import StatusModel

/// The times from the guest's kick to each stage of a frame, over the frames of a phase, ns.
///
/// Covers at most the last 512 frames, which the daemon records. Percentiles are exact, without buckets. A frame that
/// did not reach a stage (superseded, or still on screen) is not counted in it.
public struct FrameStages: Codable, Equatable, Sendable {
  /// The backend took the frame from the guest; 0 for guests that stamp their frames themselves.
  public var taken: Percentiles
  /// The daemon received its PRESENT.
  public var presented: Percentiles
  /// The daemon committed it.
  public var latched: Percentiles
  /// It was flipped.
  public var flipped: Percentiles
  /// Its buffer was released.
  public var released: Percentiles
  /// From one frame's flip to the next one's.
  public var interval: Percentiles
  /// Whether times begin at the guest's kick. If the backend skips superseded frames, kicks cannot be matched to
  /// frames, and times begin when the backend took the frame.
  public var isFromKick: Bool
  /// The nominal time between two flips at the output's refresh rate.
  public var periodNanoseconds: UInt64

  /// The median interval in refresh periods; 1: no vblank missed.
  public var medianPeriods: Double { periods(interval.median) }
  /// The 99th percentile of intervals in refresh periods.
  public var p99Periods: Double { periods(interval.p99) }

  /// The stages in their order, for tables.
  public enum Stage: String, CaseIterable, Sendable {
    case backend
    case daemon
    case latch
    case flip
    case release
  }

  /// The times from the kick to a stage, ns.
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

  /// The times of frames in the daemon's order.
  ///
  /// - Parameters:
  ///   - frames: the phase's frames in the daemon's record, the oldest first.
  ///   - kicks: the times of the guest's last kicks, the oldest first; the last one belongs to the last frame. Empty if
  ///     the backend skipped frames: then times begin when the backend took the frame.
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

/// The times of a load's last presents, in a ring.
struct KickTimes: Equatable {
  /// As many as the daemon records.
  static let capacity = 512
  private var times: [UInt64] = []
  private var next = 0

  init() { times.reserveCapacity(KickTimes.capacity) }

  /// Records a present.
  mutating func add(_ nanoseconds: UInt64) {
    if times.count < KickTimes.capacity { times.append(nanoseconds) } else { times[next] = nanoseconds }
    next = (next + 1) % KickTimes.capacity
  }

  /// The oldest first.
  var ordered: [UInt64] { times.count < KickTimes.capacity ? times : Array(times[next...] + times[..<next]) }
}
