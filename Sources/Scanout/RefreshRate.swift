/// A number of frames per second, written `60`, `60Hz` or `59.94Hz`.
public struct RefreshRate: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// Frames per 1000 seconds: 60 Hz is 60 000.
  public var millihertz: Int

  /// A rate in millihertz.
  public init(millihertz: Int) { self.millihertz = millihertz }

  /// Reads a rate in hertz with or without its unit, rounded to a millihertz.
  ///
  /// - Returns: nil if the text is not a decimal number, or is more than a million hertz.
  public init?(_ text: some StringProtocol) {
    let digits = text.hasSuffix("Hz") ? text.dropLast(2) : text[...]
    let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = Int(decimal: parts[0]), whole <= 1_000_000 else { return nil }
    var rest = 0
    if parts.count == 2 {
      guard let fraction = Int(decimal: parts[1].prefix(4)), parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) })
      else { return nil }
      // Ten-thousandths, then rounded.
      var tenThousandths = fraction
      for _ in parts[1].prefix(4).utf8.count..<4 { tenThousandths *= 10 }
      rest = (tenThousandths + 5) / 10
    }
    self.init(millihertz: whole * 1000 + rest)
  }

  /// `60` or `59.940`: hertz, without the unit.
  public var description: String {
    let rest = millihertz % 1000
    if rest == 0 { return "\(millihertz / 1000)" }
    let digits = String(rest)
    return "\(millihertz / 1000).\(String(repeating: "0", count: 3 - digits.count))\(digits)"
  }
}
