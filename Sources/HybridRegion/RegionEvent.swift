import CFramepathABI

/// An event of the host about a frame or a slot (`enum framepath_region_event`).
public enum RegionEvent: Equatable, Sendable {
  /// The outcome of a frame. `timeNanoseconds` is the host's CLOCK_MONOTONIC of the flip, `sequence` the output's
  /// vblank counter; both are 0 if it was not flipped. The host still holds the slot.
  case done(slot: Int, frame: UInt64, RegionOutcome, timeNanoseconds: UInt64, sequence: UInt64)
  /// The slot may be drawn into. `frame` is the present that this ends, or 0 for a slot held since before the attach.
  case released(slot: Int, frame: UInt64)
}

/// `enum framepath_region_outcome`.
public enum RegionOutcome: Equatable, Sendable {
  /// The frame was on screen.
  case flipped
  /// A newer frame replaced it.
  case superseded
  /// The host or the output refused it.
  case rejected(RegionReason)
  /// The output changed or the daemon ended before the flip.
  case lost

  var code: UInt32 {
    switch self {
    case .flipped: FRAMEPATH_REGION_FLIPPED.rawValue
    case .superseded: FRAMEPATH_REGION_SUPERSEDED.rawValue
    case .rejected: FRAMEPATH_REGION_REJECTED.rawValue
    case .lost: FRAMEPATH_REGION_LOST.rawValue
    }
  }

  var reason: RegionReason? { if case .rejected(let reason) = self { reason } else { nil } }

  init?(code: UInt32, reason: UInt32) {
    switch code {
    case FRAMEPATH_REGION_FLIPPED.rawValue: self = .flipped
    case FRAMEPATH_REGION_SUPERSEDED.rawValue: self = .superseded
    case FRAMEPATH_REGION_REJECTED.rawValue: self = .rejected(RegionReason(rawValue: reason) ?? .output)
    case FRAMEPATH_REGION_LOST.rawValue: self = .lost
    default: return nil
    }
  }
}

/// Why the host refused an entry or an attach (`enum framepath_region_reason`).
public enum RegionReason: UInt32, Error, Sendable, CustomStringConvertible {
  /// The guest has another major version.
  case badVersion = 1
  /// The slot does not exist.
  case badSlot = 2
  /// The slot was presented and not yet released.
  case slotHeld = 3
  /// No slot holds a picture of that size, stride and format.
  case badLayout = 4
  /// More rectangles than an entry has.
  case badDamage = 5
  /// The frame number does not rise.
  case badFrame = 6
  /// The entry's generation does not match its position.
  case torn = 7
  /// More entries are announced than the ring has.
  case overrun = 8
  /// The output cannot show the picture.
  case output = 9
  /// Imported memory is counted, and there is not enough left for the slot now.
  case noMemory = 10

  /// A message for the user.
  public var description: String {
    switch self {
    case .badVersion: "the guest has another major version"
    case .badSlot: "the slot does not exist"
    case .slotHeld: "the slot has not been released"
    case .badLayout: "no slot holds a picture of that size, stride or format"
    case .badDamage: "there are more damage rectangles than an entry has"
    case .badFrame: "the frame number does not rise"
    case .torn: "the entry is stale or torn"
    case .overrun: "more entries are announced than the ring has"
    case .output: "the output cannot show the picture"
    case .noMemory: "there is not enough memory for the slot"
    }
  }
}

/// The state of the host side of a region (`enum framepath_region_host_state`).
public enum RegionHostState: UInt32, Sendable {
  /// The host side is starting.
  case starting = 0
  /// No daemon is running: frames are kept, and the newest one will be shown.
  case waiting = 1
  /// Frames are shown.
  case presenting = 2
  /// The host side has ended.
  case ended = 3
}

/// The mode of the output behind a region.
public struct RegionOutput: Equatable, Sendable {
  /// Width in pixels.
  public var width: Int
  /// Height in pixels.
  public var height: Int
  /// Refresh rate in millihertz.
  public var refreshMillihertz: Int

  /// A mode.
  public init(width: Int, height: Int, refreshMillihertz: Int) {
    self.width = width
    self.height = height
    self.refreshMillihertz = refreshMillihertz
  }

  /// Parses `refresh_mhz << 32 | height << 16 | width`; nil if width or height is 0.
  init?(word: UInt64) {
    width = Int(word & 0xFFFF)
    height = Int(word >> 16 & 0xFFFF)
    refreshMillihertz = Int(word >> 32)
    guard width > 0, height > 0 else { return nil }
  }

  var word: UInt64 {
    UInt64(UInt32(clamping: refreshMillihertz)) << 32 | UInt64(UInt16(clamping: height)) << 16
      | UInt64(UInt16(clamping: width))
  }
}
