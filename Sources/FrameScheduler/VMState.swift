/// A frame that the scheduler holds.
struct HeldFrame: Sendable {
  var id: FrameID
  var byteCount: Int64
  var cost: Nanoseconds
  /// The rate that the cost was planned with.
  var picosecondsPerByte: Int64
  /// When it came.
  var ready: Nanoseconds
  var isRepeat = false
}

/// By which vblank a promised frame is due, and whether a miss would be the host's fault.
struct Promise: Sendable {
  var deadline: Int64
  var isOnTime: Bool
  /// Whether the frame costs no more than was declared.
  var isWithinDeclared = true
}

/// All that the scheduler knows of one VM. Frames move slot → working → completed → staged → shown; on the
/// plane path slot → staged. In that order their numbers fall, so the oldest one is the last of them that is set.
struct VMState: Sendable {
  /// After this time without a frame, the next one has no time kept for it.
  static let silenceNanoseconds: Nanoseconds = 1_000_000_000

  let id: VMID
  var configuration: VMConfiguration
  /// Differs from the configuration's after `setPath`.
  var path: FramePath

  var lastAccepted: FrameID?
  /// The mailbox: the newest ready frame that nobody has begun to serve.
  var slot: HeldFrame?
  /// When the first of the frames that the slot held since it was last served became ready.
  var firstReady: Nanoseconds = 0
  var lastReady: Nanoseconds = .min / 2
  var wasSilent = true
  /// A frame that is being copied: latched, it can't be superseded.
  var working: HeldFrame?
  var workingDone: Nanoseconds = 0
  /// Whether `working` is copied into the picture that no commit shows yet.
  var isAhead = false
  /// A frame that is copied and waits for the commit.
  var completed: HeldFrame?
  /// The frame in the commit whose flip is pending.
  var staged: HeldFrame?
  /// The frame on screen, or the last that was.
  var shown: HeldFrame?

  /// The oldest frame whose fence is held.
  var firstUnreleased: FrameID?
  var firstUnreleasedAt: Nanoseconds = 0
  var releaseAllowedAt: Nanoseconds = .min / 2
  /// From when on its rate allows the next frame, where the display follows the commits.
  var opensAt: Nanoseconds = .min / 2

  /// The last vblank that the VM was served for: one frame for each vblank.
  var servedIndex: Int64 = -1
  /// The rate that the VM can't exceed.
  var cap: Cadence
  /// The rate that the VM was promised.
  var floor: Cadence
  /// The vblank of the first slot of `floor`, chosen so that promises do not fall due together.
  var phase: Int64 = 0

  /// Finish tag of the last service, and the virtual time at which the slot was filled.
  var finish: Int64 = 0
  var arrivalTag: Int64 = 0
  /// The start tag with which the frame that is under way was taken up in the interval `runIndex`.
  var runTag: Int64 = 0
  var runIndex: Int64 = -1
  /// What was promised for the frame in the slot once it is a candidate, and for those further on.
  var slotPromise: Promise?
  var servedPromise: Promise?
  var completedPromise: Promise?
  var stagedPromise: Promise?
  /// The processor time that copies of its frames took of late, for one byte.
  var copyRate: CopyRate

  var tokens: TokenBucket
  var protection = ProtectionState()
  var statistics = VMStatistics()

  init(
    id: VMID, configuration: VMConfiguration, cap: Cadence, floor: Cadence, tokens: TokenBucket, copyRate: CopyRate
  ) {
    self.copyRate = copyRate
    self.id = id
    self.configuration = configuration
    self.cap = cap
    self.floor = floor
    self.tokens = tokens
    path = configuration.path
  }

  @inline(__always)
  var hasReadyFrame: Bool { slot != nil || working != nil || completed != nil }

  var weight: Int64 { configuration.weight }

  /// The start tag of the frame in the slot: `max(v(arrival), F)`.
  @inline(__always)
  var startTag: Int64 { max(arrivalTag, finish) }

  /// Whether a part of a frame is in the picture of the next commit: it must end before that.
  @inline(__always)
  var isInPicture: Bool { working != nil && !isAhead }

  /// Stops copying the frame that is under way; what was copied of it is worth nothing.
  mutating func stopCopying() {
    working = nil
    workingDone = 0
    isAhead = false
    servedPromise = nil
  }

  /// What is left to copy of the frame that would be served next.
  @inline(__always)
  var remainingCost: Nanoseconds {
    if let working { return working.cost - workingDone }
    guard path == .blit, let slot else { return 0 }
    return slot.cost
  }
}

extension VMState {
  /// Notes that a frame's fence is held from now on.
  mutating func hold(_ frame: HeldFrame) {
    guard firstUnreleased == nil else { return }
    firstUnreleased = frame.id
    firstUnreleasedAt = frame.ready
  }
}
