import CFramepathABI

/// What the host has to say of a frame or a slot (`enum framepath_region_event`).
public enum RegionEvent: Equatable, Sendable {
  /// What became of a frame. `timeNanoseconds` is the host's CLOCK_MONOTONIC of the flip, `sequence` the output's
  /// vblank counter; both 0 where it was not flipped. The slot is still the host's.
  case done(slot: Int, frame: UInt64, RegionOutcome, timeNanoseconds: UInt64, sequence: UInt64)
  /// The slot may be drawn into. `frame` is the present that this ends, 0 for a slot held since before the attach.
  case released(slot: Int, frame: UInt64)
}

/// `enum framepath_region_outcome`.
public enum RegionOutcome: Equatable, Sendable {
  /// On screen.
  case flipped
  /// A newer frame took its place.
  case superseded
  /// The host or the output refused it.
  case rejected(RegionReason)
  /// The daemon went away under it.
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
  /// The guest speaks another major version.
  case badVersion = 1
  /// There is no such slot.
  case badSlot = 2
  /// The slot was presented and not yet released.
  case slotHeld = 3
  /// A size, stride or format that no slot holds.
  case badLayout = 4
  /// More rectangles than an entry has.
  case badDamage = 5
  /// A frame number that does not rise.
  case badFrame = 6
  /// An entry of another generation than its place.
  case torn = 7
  /// More entries announced than the ring has.
  case overrun = 8
  /// The output cannot show it.
  case output = 9
  /// The host counts memory that clients bring, and has none left for it now.
  case noMemory = 10

  /// The reason for a person.
  public var description: String {
    switch self {
    case .badVersion: "it speaks another major version"
    case .badSlot: "there is no such slot"
    case .slotHeld: "the slot was presented and not yet released"
    case .badLayout: "no slot holds a picture of that size, stride or format"
    case .badDamage: "there are more damage rectangles than an entry has"
    case .badFrame: "the frame number does not rise"
    case .torn: "the entry is stale or torn"
    case .overrun: "more entries are announced than the ring has"
    case .output: "the output cannot show it"
    case .noMemory: "there is no memory left for it"
    }
  }
}

/// What stands behind the region now (`enum framepath_region_host_state`).
public enum RegionHostState: UInt32, Sendable {
  /// The host side has just begun.
  case starting = 0
  /// There is no daemon now: frames are kept, and the newest will be shown.
  case waiting = 1
  /// Frames are shown.
  case presenting = 2
  /// The host side has gone for good.
  case ended = 3
}

/// The output behind a region.
public struct RegionOutput: Equatable, Sendable {
  /// Pixels across the current mode.
  public var width: Int
  /// Pixels down.
  public var height: Int
  /// Millihertz.
  public var refreshMillihertz: Int

  /// An output's mode.
  public init(width: Int, height: Int, refreshMillihertz: Int) {
    self.width = width
    self.height = height
    self.refreshMillihertz = refreshMillihertz
  }

  /// `refresh_mhz << 32 | height << 16 | width`, or nil for 0 in either dimension.
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
