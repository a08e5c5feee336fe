/// A number of bytes, written `4096`, `64K`, `256M`, `6G` or `1T`: units of 1024.
public struct ByteCount: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// What the last letter of a text multiplies by.
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

  /// So many bytes.
  public init(bytes: Int) { self.bytes = bytes }

  /// Reads a whole number with at most one letter, in either case.
  ///
  /// - Parameter unit: of a number without a letter.
  /// - Returns: nil where the text is something else, or more than an `Int` holds.
  public init?(_ text: some StringProtocol, unit: Unit = .byte) {
    let letter = text.last.map { String($0).uppercased() } ?? ""
    let named = Unit.allCases.first { $0 != .byte && $0.letter == letter }
    let digits = named == nil ? text[...] : text.dropLast()
    let shift = (named ?? unit).rawValue
    guard let number = Int(decimal: digits), number <= Int.max >> shift else { return nil }
    self.init(bytes: number << shift)
  }

  /// With the largest unit that leaves a whole number: `6G`, `1536M`, `1000`.
  public var description: String {
    let unit = Unit.allCases.last { bytes != 0 && bytes % (1 << $0.rawValue) == 0 } ?? .byte
    return "\(bytes >> unit.rawValue)\(unit.letter)"
  }
}
