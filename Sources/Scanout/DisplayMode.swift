/// A picture size and rate that an output can show.
public struct DisplayMode: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// Visible pixels across.
  public var width: Int
  /// Visible pixels down.
  public var height: Int
  /// Frames per 1000 seconds: 60 Hz is 60 000.
  public var refreshMillihertz: Int

  /// A mode of that size in pixels and rate in millihertz.
  public init(width: Int, height: Int, refreshMillihertz: Int) {
    self.width = width
    self.height = height
    self.refreshMillihertz = refreshMillihertz
  }

  /// The time between two vblanks.
  public var periodNanoseconds: UInt64 {
    refreshMillihertz > 0 ? 1_000_000_000_000 / UInt64(refreshMillihertz) : 0
  }

  /// For example `1920x1080@60` or `1366x768@59.790`.
  public var description: String {
    let whole = refreshMillihertz / 1000
    let rest = refreshMillihertz % 1000
    if rest == 0 { return "\(width)x\(height)@\(whole)" }
    let digits = String(rest)
    return "\(width)x\(height)@\(whole).\(String(repeating: "0", count: 3 - digits.count))\(digits)"
  }

  /// Reads `WxH`, `WxH@Hz` or `WxH@Hz.mmm`; the rate is 60 Hz where none is given.
  public init?(_ text: String) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let size = parts[0].split(separator: "x", omittingEmptySubsequences: false)
    guard size.count == 2, let width = Int(size[0]), let height = Int(size[1]),
      (1...16384).contains(width), (1...16384).contains(height)
    else { return nil }
    var millihertz = 60_000
    if parts.count == 2 {
      guard let rate = Double(parts[1]), rate >= 1, rate <= 1000 else { return nil }
      millihertz = Int((rate * 1000).rounded())
    }
    self.init(width: width, height: height, refreshMillihertz: millihertz)
  }
}
