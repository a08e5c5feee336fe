/// A size and refresh rate that an output can show.
public struct DisplayMode: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// Visible pixels across.
  public var width: Int
  /// Visible pixels down.
  public var height: Int
  /// Frames per 1000 seconds: 60 Hz is 60 000.
  public var refreshMillihertz: Int

  /// A mode of a size in pixels and a rate in millihertz.
  public init(width: Int, height: Int, refreshMillihertz: Int) {
    self.width = width
    self.height = height
    self.refreshMillihertz = refreshMillihertz
  }

  /// The nanoseconds between two vblanks.
  public var periodNanoseconds: UInt64 {
    refreshMillihertz > 0 ? 1_000_000_000_000 / UInt64(refreshMillihertz) : 0
  }

  /// For example `1920x1080@60` or `1366x768@59.790`.
  public var description: String { "\(width)x\(height)@\(RefreshRate(millihertz: refreshMillihertz))" }

  /// Parses `WxH`, `WxH@Hz` or `WxH@Hz.mmm`, 1 to 1000 Hz; without a rate it is 60 Hz.
  public init?(_ text: String) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    guard let size = PixelSize(parts[0]) else { return nil }
    var millihertz = 60_000
    if parts.count == 2 {
      guard let rate = RefreshRate(parts[1]), (1000...1_000_000).contains(rate.millihertz) else { return nil }
      millihertz = rate.millihertz
    }
    self.init(width: size.width, height: size.height, refreshMillihertz: millihertz)
  }
}
