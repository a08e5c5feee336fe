/// A size in pixels, written `1920x1080`.
public struct PixelSize: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// Pixels across.
  public var width: Int
  /// Pixels down.
  public var height: Int

  /// A size of that many pixels.
  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  /// Reads `WIDTHxHEIGHT`: two whole numbers in decimal digits.
  ///
  /// - Parameter range: what each of them may be; nil for a text that is out of it.
  public init?(_ text: some StringProtocol, in range: ClosedRange<Int> = 1...16_384) {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, let width = Int(decimal: parts[0]), let height = Int(decimal: parts[1]),
      range.contains(width), range.contains(height)
    else { return nil }
    self.init(width: width, height: height)
  }

  /// `1920x1080`.
  public var description: String { "\(width)x\(height)" }
}

extension Int {
  /// Reads decimal digits and nothing else: no sign, no spaces.
  init?(decimal text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    self.init(text)
  }
}
