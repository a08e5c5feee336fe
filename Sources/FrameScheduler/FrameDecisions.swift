/// What to do after a call of `OutputScheduler`: carry out `blits`, then the commit, then `releases`.
///
/// The caller keeps one of these and passes it to every call; each call replaces the contents. Storage is reserved
/// once, so that no call allocates.
public struct FrameDecisions: Sendable {
  /// Whether the picture that was copied into ahead of its time is the next one from now on, and the other way round.
  /// Comes before `blits`.
  public internal(set) var promotesAhead = false
  /// Parts of frames to copy, in this order.
  public internal(set) var blits: [BlitOrder] = []
  /// Whether to make one atomic commit now, after `blits`, with everything in `latches`.
  public internal(set) var commits = false
  /// The frames to put on screen with this commit, one for each VM at most. Empty if only the layout changed.
  public internal(set) var latches: [LatchedFrame] = []
  /// Whether the whole output must be drawn anew: the layout or the holder changed.
  public internal(set) var needsFullDamage = false
  /// Whether to show the host's own picture, because the VM that has the output has no frame.
  public internal(set) var showsFallback = false
  /// Whether the display follows this commit (variable refresh rate).
  public internal(set) var isVariable = false
  /// The frames that this flip brought on screen.
  public internal(set) var shown: [ShownFrame] = []
  /// Frames that will not be shown; their buffers are free.
  public internal(set) var discarded: [DiscardedFrame] = []
  /// Fences to signal, after `blits`.
  public internal(set) var releases: [FenceRelease] = []
  /// A VM whose DRM lease must be revoked now; answer with `leaseReturned(at:into:)`.
  public internal(set) var revokedLease: VMID?

  /// The most VMs of an output.
  public static let mostVMs = 64

  /// Reserves storage for an output with `maximumVMCount` VMs.
  public init(maximumVMCount: Int = FrameDecisions.mostVMs) {
    blits.reserveCapacity(maximumVMCount)
    latches.reserveCapacity(maximumVMCount)
    shown.reserveCapacity(maximumVMCount)
    discarded.reserveCapacity(maximumVMCount * 8)
    releases.reserveCapacity(maximumVMCount * 8)
  }

  mutating func removeAll() {
    // Most are empty, and emptying an array is a call.
    if !blits.isEmpty { blits.removeAll(keepingCapacity: true) }
    if !latches.isEmpty { latches.removeAll(keepingCapacity: true) }
    if !shown.isEmpty { shown.removeAll(keepingCapacity: true) }
    if !discarded.isEmpty { discarded.removeAll(keepingCapacity: true) }
    if !releases.isEmpty { releases.removeAll(keepingCapacity: true) }
    promotesAhead = false
    commits = false
    needsFullDamage = false
    isVariable = false
    showsFallback = false
    revokedLease = nil
  }
}

/// Which of an output's pictures a part of a frame is copied into.
public enum BlitTarget: Hashable, Sendable {
  /// The picture of the next commit. A frame that is begun here ends before that commit.
  case next
  /// A picture that no commit shows before `FrameDecisions.promotesAhead`. It holds a part of one frame at most.
  case ahead
}

/// A part of a frame to copy.
public struct BlitOrder: Hashable, Sendable {
  /// Whose frame.
  public let vm: VMID
  /// Which frame.
  public let frame: FrameID
  /// Which picture the part goes into; the same for all parts of a frame, but for `FrameDecisions.promotesAhead`.
  public let target: BlitTarget
  /// Which of the frame's bytes; the parts of a frame follow one another without gap. Round to rows downward.
  public let bytes: Range<Int64>
  /// Whether this is the last part. Only then the frame is latched. Never true ahead.
  public let completes: Bool
  /// The time that was planned for it.
  public let nanoseconds: Nanoseconds
}

/// A frame that goes into the commit.
public struct LatchedFrame: Hashable, Sendable {
  /// Whose frame.
  public let vm: VMID
  /// Which frame.
  public let frame: FrameID
  /// Whether its bytes were copied by blits, else its buffer goes on the VM's plane.
  public let path: FramePath
  /// Whether it was on screen before and comes back, as after a change of the holder.
  public let isRepeat: Bool
}

/// A frame that came on screen.
public struct ShownFrame: Hashable, Sendable {
  /// Whose frame.
  public let vm: VMID
  /// Which frame.
  public let frame: FrameID
  /// The frame of the same VM that left the screen: its buffer is free.
  public let replaced: FrameID?
  /// When the frame became ready.
  public let readyAt: Nanoseconds
}

/// A frame that is not shown.
public struct DiscardedFrame: Hashable, Sendable {
  /// Whose frame.
  public let vm: VMID
  /// Which frame.
  public let frame: FrameID
  /// Why.
  public let reason: DiscardReason
}

/// Why a frame is not shown.
public enum DiscardReason: Hashable, Sendable {
  /// A newer frame of its VM became ready.
  case superseded
  /// Its VM was removed.
  case removed
  /// The display driver refused it on every path.
  case refusedByDevice
}

/// Fences to signal.
public struct FenceRelease: Hashable, Sendable {
  /// Whose fences.
  public let vm: VMID
  /// All fences of frames up to and including this one that were not signalled before.
  public let through: FrameID
}

/// The answer to a frame that was announced.
public enum FrameReceipt: Hashable, Sendable {
  /// The scheduler has the frame.
  case accepted
  /// Not accepted: the VM announces too many. Take nothing from it before the time given, then announce it again.
  case throttled(until: Nanoseconds)
  /// Not accepted and never will be.
  case refused(FrameRefusal)
}

/// Why a frame was refused; an error reply to the client, nothing else changes.
public enum FrameRefusal: Hashable, Sendable {
  /// No such VM on this output.
  case unknownVM
  /// The frame's number is not above those announced before.
  case staleFrame
  /// The byte count is negative or above 16 GiB.
  case byteCountOutOfRange
}
