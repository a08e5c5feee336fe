/// A point in time or a duration in nanoseconds of one monotonic clock (production: `CLOCK_MONOTONIC`).
///
/// The scheduler reads no clock: every call is given the time.
public typealias Nanoseconds = Int64

/// The number of one virtual machine's picture on one output.
///
/// A VM with two scanouts on the same output takes two numbers. Ties in every policy are broken by the smaller number.
public struct VMID: RawRepresentable, Hashable, Comparable, Sendable, Codable {
  /// The number, chosen by the caller.
  public let rawValue: UInt32

  /// Makes an id from a number.
  @inlinable
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// Makes an id from a number.
  @inlinable
  public init(_ rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// Orders ids by their numbers.
  @inlinable
  public static func < (left: VMID, right: VMID) -> Bool { left.rawValue < right.rawValue }
}

/// The number of one frame of one VM; it must grow with every frame of that VM, gaps are allowed.
public struct FrameID: RawRepresentable, Hashable, Comparable, Sendable, Codable {
  /// The number, chosen by the caller.
  public let rawValue: UInt64

  /// Makes an id from a number.
  @inlinable
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Makes an id from a number.
  @inlinable
  public init(_ rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Orders frames by their numbers.
  @inlinable
  public static func < (left: FrameID, right: FrameID) -> Bool { left.rawValue < right.rawValue }
}

/// `value / divisor` rounded up, for a positive divisor.
@inlinable
func ceilingDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
  let quotient = value / divisor
  return value % divisor > 0 ? quotient + 1 : quotient
}
