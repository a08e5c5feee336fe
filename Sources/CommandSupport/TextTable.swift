/// A text table with aligned columns.
public struct TextTable {
  private enum Row {
    case cells([String])
    case note(String)
  }

  private let titles: [String]
  private let isRight: [Bool]
  private var rows: [Row] = []

  /// A table with these titles; a title that starts with `>` aligns its column to the right.
  public init(_ titles: [String]) {
    self.titles = titles.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 }
    isRight = titles.map { $0.hasPrefix(">") }
  }

  /// Adds a row; missing cells are empty.
  public mutating func add(_ cells: [String]) { rows.append(.cells(cells.map(TextTable.printable))) }

  /// Adds an indented line across all columns.
  public mutating func add(note: String) { rows.append(.note(TextTable.printable(note))) }

  /// Titles and rows.
  public var lines: [String] {
    var widths = titles.map(\.count)
    for case .cells(let cells) in rows {
      for (index, cell) in cells.enumerated() where index < widths.count {
        widths[index] = max(widths[index], cell.count)
      }
    }
    return [line(titles, widths)]
      + rows.map { row in
        switch row {
        case .cells(let cells): line(cells, widths)
        case .note(let text): "    \(text)"
        }
      }
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var text = ""
    for index in titles.indices {
      let cell = index < cells.count ? cells[index] : ""
      let gap = String(repeating: " ", count: max(widths[index] - cell.count, 0))
      text += (index == 0 ? "" : "  ") + (isRight[index] ? gap + cell : cell + gap)
    }
    return String(text.reversed().drop { $0 == " " }.reversed())
  }

  /// The text with control characters replaced: names come from clients and must not control the terminal.
  public static func printable(_ text: String) -> String {
    let scalars = text.unicodeScalars.map { scalar -> Character in
      scalar.properties.generalCategory == .control ? "?" : Character(scalar)
    }
    return String(scalars)
  }

  /// A number with this many decimals.
  public static func fixed(_ value: Double, decimals: Int) -> String {
    var scale = 1
    for _ in 0..<decimals { scale *= 10 }
    guard value.isFinite, abs(value) < 1e12 else { return "-" }
    let rounded = Int((value * Double(scale)).rounded())
    if decimals <= 0 { return "\(rounded)" }
    let fraction = String(abs(rounded) % scale)
    let zeros = String(repeating: "0", count: decimals - fraction.count)
    return "\(rounded < 0 ? "-" : "")\(abs(rounded) / scale).\(zeros)\(fraction)"
  }

  /// Bytes with a unit, such as `1.5 GiB`.
  public static func bytes(_ count: UInt64) -> String {
    guard count >= 1024 else { return "\(count) B" }
    var value = Double(count) / 1024
    for unit in ["KiB", "MiB", "GiB"] {
      if value < 1023.95 { return "\(fixed(value, decimals: 1)) \(unit)" }
      value /= 1024
    }
    return "\(fixed(value, decimals: 1)) TiB"
  }
}
