extension DaemonStatus {
  /// A client with scanouts, its memory and its settings.
  public struct VM: Codable, Equatable, Sendable {
    /// Its name, unique among the living.
    public var name: String
    /// The client's process.
    public var pid: Int32
    /// What it is.
    public var kind: Kind
    /// Bytes of buffers that it holds.
    public var bufferBytes: Int
    /// The most that it may hold.
    public var bufferLimitBytes: Int
    /// Requests for buffers that wait for memory.
    public var waitingBuffers: Int
    /// Bytes that they ask for.
    public var waitingBytes: Int
    /// Its share against the others'.
    public var weight: Int64
    /// Frames per second that it is promised; nil: none.
    public var promisedHertz: Int64?
    /// The most frames per second; nil: the refresh rate.
    public var cappedHertz: Int64?
    /// The most frames per second while no output shows it.
    public var unseenHertz: Int64
    /// Its scanouts by index.
    public var scanouts: [Scanout]

    /// All fields.
    public init(
      name: String,
      pid: Int32,
      kind: Kind,
      bufferBytes: Int,
      bufferLimitBytes: Int,
      waitingBuffers: Int,
      waitingBytes: Int,
      weight: Int64,
      promisedHertz: Int64?,
      cappedHertz: Int64?,
      unseenHertz: Int64,
      scanouts: [Scanout]
    ) {
      self.name = name
      self.pid = pid
      self.kind = kind
      self.bufferBytes = bufferBytes
      self.bufferLimitBytes = bufferLimitBytes
      self.waitingBuffers = waitingBuffers
      self.waitingBytes = waitingBytes
      self.weight = weight
      self.promisedHertz = promisedHertz
      self.cappedHertz = cappedHertz
      self.unseenHertz = unseenHertz
      self.scanouts = scanouts
    }
  }

  /// A scanout of a VM, with counters since the client connected.
  public struct Scanout: Codable, Equatable, Sendable {
    /// From 0.
    public var index: Int
    /// The output that it is on, a `parked-N` where it is parked; nil where it is on none.
    public var output: String?
    /// Of the frame on screen, pixels; nil while it is blank.
    public var width: Int?
    /// Of the frame on screen, pixels; nil while it is blank.
    public var height: Int?
    /// Of the frame on screen; nil while it is blank.
    public var format: String?
    /// How its frames reach the screen.
    public var path: ScanoutPath
    /// Why not by a better path; nil where there is no reason to give.
    public var pathReason: String?
    /// Frames that came.
    public var framesPresented: UInt64
    /// Frames that came on screen.
    public var framesFlipped: UInt64
    /// Frames that a newer one replaced before they were shown.
    public var framesSuperseded: UInt64
    /// Frames that the output refused.
    public var framesRejected: UInt64
    /// How often a CPU copied a frame or its damage: the client's count and one for each composed frame.
    public var cpuCopies: UInt64
    /// Bytes that CPUs copied for frames, by the client and the daemon.
    public var copiedBytes: UInt64
    /// Median of the latch times, within 9 %; nil before the first. The latch time of a frame is the time from
    /// `ready_ns` to its commit.
    public var latchMedianNanoseconds: UInt64?
    /// 99th percentile of the latch times, within 9 %; nil before the first.
    public var latchP99Nanoseconds: UInt64?
    /// Number of latch times.
    public var latchCount: UInt64
    /// Sum of the latch times.
    public var latchSumNanoseconds: UInt64
    /// For each of `latchBoundsNanoseconds`, how many latch times were at most that.
    public var latchBuckets: [UInt64]
    /// CLOCK_MONOTONIC of the last commit of a new frame; nil before the first.
    public var lastLatchNanoseconds: UInt64?
    /// Frames that the output's scheduler brought on screen; from 0 again on another output, nil without one.
    public var grantedFrames: UInt64?
    /// Time for copying into the output's picture that the scheduler gave it; from 0 again on another output, nil
    /// without one.
    public var grantedBlitNanoseconds: UInt64?
    /// Promised frames that were ready in time and came on screen too late; from 0 again on another output, nil without
    /// one.
    public var missedPromises: UInt64?
    /// Buffers that it has.
    public var buffers: Int
    /// The generation of its output's description.
    public var generation: UInt32
    /// Why it is on no real output; nil where it is on one.
    public var parked: String?

    /// All fields.
    public init(
      index: Int,
      output: String?,
      width: Int?,
      height: Int?,
      format: String?,
      path: ScanoutPath,
      pathReason: String?,
      framesPresented: UInt64,
      framesFlipped: UInt64,
      framesSuperseded: UInt64,
      framesRejected: UInt64,
      cpuCopies: UInt64,
      copiedBytes: UInt64,
      latchMedianNanoseconds: UInt64?,
      latchP99Nanoseconds: UInt64?,
      latchCount: UInt64,
      latchSumNanoseconds: UInt64,
      latchBuckets: [UInt64],
      lastLatchNanoseconds: UInt64?,
      grantedFrames: UInt64?,
      grantedBlitNanoseconds: UInt64?,
      missedPromises: UInt64?,
      buffers: Int,
      generation: UInt32,
      parked: String?
    ) {
      self.index = index
      self.output = output
      self.width = width
      self.height = height
      self.format = format
      self.path = path
      self.pathReason = pathReason
      self.framesPresented = framesPresented
      self.framesFlipped = framesFlipped
      self.framesSuperseded = framesSuperseded
      self.framesRejected = framesRejected
      self.cpuCopies = cpuCopies
      self.copiedBytes = copiedBytes
      self.latchMedianNanoseconds = latchMedianNanoseconds
      self.latchP99Nanoseconds = latchP99Nanoseconds
      self.latchCount = latchCount
      self.latchSumNanoseconds = latchSumNanoseconds
      self.latchBuckets = latchBuckets
      self.lastLatchNanoseconds = lastLatchNanoseconds
      self.grantedFrames = grantedFrames
      self.grantedBlitNanoseconds = grantedBlitNanoseconds
      self.missedPromises = missedPromises
      self.buffers = buffers
      self.generation = generation
      self.parked = parked
    }
  }
}

extension DaemonStatus.VM {
  /// What a client with scanouts is.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A VM's device.
    case vm
    /// A program that shows its own frames.
    case container
  }
}

extension DaemonStatus.Scanout {
  /// Upper bounds of `latchBuckets`, nanoseconds: 1, 2, 4, 8, 16.7, 33, 50 and 100 ms.
  public static let latchBoundsNanoseconds: [UInt64] = [
    1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_700_000, 33_000_000, 50_000_000, 100_000_000,
  ]

  /// Frames whose end the daemon has not reported yet.
  public var openFrames: UInt64 { framesPresented &- framesFlipped &- framesSuperseded &- framesRejected }
}

/// How a frame reaches the screen.
public enum ScanoutPath: String, Codable, Sendable, CaseIterable {
  /// The hardware reads the client's own pages.
  case direct
  /// Over one copy by a CPU into a host buffer.
  case copy
  /// The daemon composes it into the output's picture.
  case blit
}
