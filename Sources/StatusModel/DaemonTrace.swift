/// The last frames of every scanout: the answer to TRACE.
public struct DaemonTrace: Codable, Equatable, Sendable {
  /// CLOCK_MONOTONIC when the trace was started. Frames may have later times, because scanouts are read one by one.
  public var nowNanoseconds: UInt64
  /// The scanouts. The last field: see `JSONPieces`.
  public var scanouts: [Scanout]

  /// All fields.
  public init(
    nowNanoseconds: UInt64,
    scanouts: [Scanout]
  ) {
    self.nowNanoseconds = nowNanoseconds
    self.scanouts = scanouts
  }
}

extension DaemonTrace {
  /// The last frames of one scanout.
  public struct Scanout: Codable, Equatable, Sendable {
    /// The client's name.
    public var vm: String
    /// Its process.
    public var pid: Int32
    /// The scanout's index.
    public var index: Int
    /// Its output; nil without one.
    public var output: String?
    /// At most 512, the oldest first. The last field: see `JSONPieces`.
    public var frames: [Frame]

    /// All fields.
    public init(
      vm: String,
      pid: Int32,
      index: Int,
      output: String?,
      frames: [Frame]
    ) {
      self.vm = vm
      self.pid = pid
      self.index = index
      self.output = output
      self.frames = frames
    }
  }

  /// One frame. Times are CLOCK_MONOTONIC; nil for a stage that it has not reached.
  public struct Frame: Codable, Equatable, Sendable {
    /// Its number.
    public var frame: UInt64
    /// How its bytes reached the buffer.
    public var path: ScanoutPath
    /// CPU copies of the frame before its PRESENT.
    public var copies: UInt32
    /// Bytes of these copies.
    public var copiedBytes: UInt64
    /// When the guest presented it (`ready_ns`); nil if the client does not report it.
    public var readyNanoseconds: UInt64?
    /// When the daemon received its PRESENT.
    public var presentedNanoseconds: UInt64
    /// When it was committed.
    public var latchedNanoseconds: UInt64?
    /// When it was flipped.
    public var flippedNanoseconds: UInt64?
    /// When its buffer had left the screen.
    public var releasedNanoseconds: UInt64?
    /// Its outcome.
    public var outcome: Outcome

    /// All fields.
    public init(
      frame: UInt64,
      path: ScanoutPath,
      copies: UInt32,
      copiedBytes: UInt64,
      readyNanoseconds: UInt64?,
      presentedNanoseconds: UInt64,
      latchedNanoseconds: UInt64?,
      flippedNanoseconds: UInt64?,
      releasedNanoseconds: UInt64?,
      outcome: Outcome
    ) {
      self.frame = frame
      self.path = path
      self.copies = copies
      self.copiedBytes = copiedBytes
      self.readyNanoseconds = readyNanoseconds
      self.presentedNanoseconds = presentedNanoseconds
      self.latchedNanoseconds = latchedNanoseconds
      self.flippedNanoseconds = flippedNanoseconds
      self.releasedNanoseconds = releasedNanoseconds
      self.outcome = outcome
    }
  }

  /// The outcomes of a frame.
  public enum Outcome: String, Codable, Sendable, CaseIterable {
    /// The frame was shown.
    case flipped
    /// A newer frame replaced it before it was shown.
    case superseded
    /// The output refused it.
    case rejected
    /// Not decided yet.
    case open
  }

  /// The last frames of a client's first scanout, the oldest first; nil if there is no such client.
  public func frames(ofVM name: String) -> [Frame]? { scanouts.first { $0.vm == name }?.frames }
}
