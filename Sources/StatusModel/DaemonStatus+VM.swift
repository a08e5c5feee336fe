extension DaemonStatus {
  /// A client with scanouts, its memory and its settings.
  public struct VM: Codable, Equatable, Sendable {
    /// Its name, unique among connected clients.
    public var name: String
    /// The client's process.
    public var pid: Int32
    /// The user of that process.
    public var uid: UInt32
    /// The security label of that process, such as an AppArmor profile; nil: the kernel has none.
    public var label: String?
    /// Its kind.
    public var kind: Kind
    /// Bytes of its buffers.
    public var bufferBytes: Int
    /// The limit for its buffers in bytes.
    public var bufferLimitBytes: Int
    /// Its requests for buffers that wait for memory.
    public var waitingBuffers: Int
    /// The size of the waiting requests in bytes.
    public var waitingBytes: Int
    /// Its share relative to the weights of others.
    public var weight: Int64
    /// The promised frames per second; nil: none.
    public var promisedHertz: Int64?
    /// The cap in frames per second; nil: the refresh rate.
    public var cappedHertz: Int64?
    /// The cap in frames per second while no output shows it.
    public var unseenHertz: Int64
    /// The limit of its device's memory for the guest's graphics resources, bytes; nil: the client has not reported it.
    public var deviceMemoryLimitBytes: UInt64?
    /// The time from a stop of its guest until its screen is blanked; nil: never, or the client has not reported it.
    public var blankStoppedSeconds: UInt32?
    /// Its scanouts, ordered by index.
    public var scanouts: [Scanout]

    /// All fields.
    public init(
      name: String,
      pid: Int32,
      uid: UInt32,
      label: String?,
      kind: Kind,
      bufferBytes: Int,
      bufferLimitBytes: Int,
      waitingBuffers: Int,
      waitingBytes: Int,
      weight: Int64,
      promisedHertz: Int64?,
      cappedHertz: Int64?,
      unseenHertz: Int64,
      deviceMemoryLimitBytes: UInt64? = nil,
      blankStoppedSeconds: UInt32? = nil,
      scanouts: [Scanout]
    ) {
      self.name = name
      self.pid = pid
      self.uid = uid
      self.label = label
      self.kind = kind
      self.bufferBytes = bufferBytes
      self.bufferLimitBytes = bufferLimitBytes
      self.waitingBuffers = waitingBuffers
      self.waitingBytes = waitingBytes
      self.weight = weight
      self.promisedHertz = promisedHertz
      self.cappedHertz = cappedHertz
      self.unseenHertz = unseenHertz
      self.deviceMemoryLimitBytes = deviceMemoryLimitBytes
      self.blankStoppedSeconds = blankStoppedSeconds
      self.scanouts = scanouts
    }
  }

  /// A scanout of a VM, with counters since the client connected.
  public struct Scanout: Codable, Equatable, Sendable {
    /// From 0.
    public var index: Int
    /// Its output, `parked-N` while it is parked; nil without one.
    public var output: String?
    /// Of the frame on screen, pixels; nil while it is blank.
    public var width: Int?
    /// Of the frame on screen, pixels; nil while it is blank.
    public var height: Int?
    /// Of the frame on screen; nil while it is blank.
    public var format: String?
    /// How its frames reach the screen.
    public var path: ScanoutPath
    /// Why a better path is unavailable; nil without a reason.
    public var pathReason: String?
    /// Presented frames.
    public var framesPresented: UInt64
    /// Flipped frames.
    public var framesFlipped: UInt64
    /// Superseded frames.
    public var framesSuperseded: UInt64
    /// Rejected frames.
    public var framesRejected: UInt64
    /// CPU copies of frames or their damage: the client's count plus one for each composed frame.
    public var cpuCopies: UInt64
    /// Bytes of these copies, by the client and the daemon.
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
    /// For each of `latchBoundsNanoseconds`, the number of latch times up to it.
    public var latchBuckets: [UInt64]
    /// CLOCK_MONOTONIC of the last commit of a new frame; nil before the first.
    public var lastLatchNanoseconds: UInt64?
    /// Frames that the output's scheduler brought on screen; reset to 0 on another output, nil without one.
    public var grantedFrames: UInt64?
    /// Copy time that the output's scheduler granted it; reset to 0 on another output, nil without one.
    public var grantedBlitNanoseconds: UInt64?
    /// Promised frames that were ready in time but flipped late; reset to 0 on another output, nil without one.
    public var missedPromises: UInt64?
    /// The number of its buffers.
    public var buffers: Int
    /// The scanout's generation.
    public var generation: UInt32
    /// Why it is parked; nil on a real output.
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
  /// The kinds of clients with scanouts.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A VM's device.
    case vm
    /// A program that presents its own frames.
    case container
  }
}

extension DaemonStatus.Scanout {
  /// Upper bounds of `latchBuckets`, nanoseconds: 1, 2, 4, 8, 16.7, 33, 50 and 100 ms.
  public static let latchBoundsNanoseconds: [UInt64] = [
    1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_700_000, 33_000_000, 50_000_000, 100_000_000,
  ]

  /// Frames that the daemon has not answered yet.
  public var openFrames: UInt64 { framesPresented &- framesFlipped &- framesSuperseded &- framesRejected }
}

/// The paths of frames to the screen.
public enum ScanoutPath: String, Codable, Sendable, CaseIterable {
  /// The hardware reads the client's own pages.
  case direct
  /// A CPU copies the frame into a host buffer.
  case copy
  /// The daemon composes it into the output's picture.
  case blit
}
