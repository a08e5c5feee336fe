/// A number of bytes in the syntax `4096`, `64K`, `256M`, `6G` or `1T`, with units of 1024.
public struct ByteCount: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// The unit given by the last letter.
  public enum Unit: Int, CaseIterable, Sendable {
    /// 1.
    case byte = 0
    /// 1024.
    case kibibyte = 10
    /// 1024².
    case mebibyte = 20
    /// 1024³.
    case gibibyte = 30
    /// 1024⁴.
    case tebibyte = 40

    /// `K`, `M`, `G`, `T`; empty for bytes.
    public var letter: String {
      switch self {
      case .byte: ""
      case .kibibyte: "K"
      case .mebibyte: "M"
      case .gibibyte: "G"
      case .tebibyte: "T"
      }
    }
  }

  /// Bytes.
  public var bytes: Int

  /// A number of bytes.
  public init(bytes: Int) { self.bytes = bytes }

  /// Parses a whole number with at most one letter, in either case.
  ///
  /// - Parameter unit: the unit of a number without a letter.
  /// - Returns: nil for any other text, or on overflow.
  public init?(_ text: some StringProtocol, unit: Unit = .byte) {
    let letter = text.last.map { String($0).uppercased() } ?? ""
    let named = Unit.allCases.first { $0 != .byte && $0.letter == letter }
    let digits = named == nil ? text[...] : text.dropLast()
    let shift = (named ?? unit).rawValue
    guard let number = Int(decimal: digits), number <= Int.max >> shift else { return nil }
    self.init(bytes: number << shift)
  }

  /// The text with the largest unit that gives a whole number: `6G`, `1536M`, `1000`.
  public var description: String {
    let unit = Unit.allCases.last { bytes != 0 && bytes % (1 << $0.rawValue) == 0 } ?? .byte
    return "\(bytes >> unit.rawValue)\(unit.letter)"
  }
}
