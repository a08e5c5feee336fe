/// Why settings are refused; the state is then as it was before.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line, from 1; 0 where no line is to blame.
  public var line: Int
  /// What is wrong and what could be.
  public var reason: String

  init(_ line: Int, _ reason: String) {
    self.line = line
    self.reason = reason
  }

  /// The error for a person.
  public var description: String { line > 0 ? "line \(line): \(reason)" : reason }
}

/// The subset of TOML that settings are written in: tables `[kind]` and `[kind."name"]`, keys, strings, whole numbers,
/// comments. Written here because every refusal must name its line.
struct SettingsText {
  enum Value: Equatable {
    case string(String)
    case number(Int64)
  }

  /// One `key = value`, with the table that it stands in.
  struct Entry: Equatable {
    var line: Int
    /// Empty before the first table.
    var table: String
    /// The part behind the dot; nil where there is none.
    var name: String?
    var key: String
    var value: Value
  }

  private(set) var entries: [Entry] = []

  init(_ text: String) throws(SettingsError) {
    var table = ""
    var name: String?
    for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = index + 1
      let words = try SettingsText.words(raw, line)
      if words.isEmpty { continue }
      if words.first == .mark("[") {
        (table, name) = try SettingsText.header(words, line)
        continue
      }
      guard words.count == 3, case .bare(let key) = words[0], words[1] == .mark("=") else {
        throw SettingsError(line, "a line is key = value, or [table]")
      }
      let value: Value
      switch words[2] {
      case .quoted(let text): value = .string(text)
      case .bare(let text):
        guard let number = Int64(text) else { throw SettingsError(line, "\(text) is no number; texts stand in quotes") }
        value = .number(number)
      case .mark: throw SettingsError(line, "a value is a text in quotes or a whole number")
      }
      let isKnown = entries.contains { $0.table == table && $0.name == name && $0.key == key }
      if isKnown { throw SettingsError(line, "\(key) is set twice") }
      entries.append(Entry(line: line, table: table, name: name, key: key, value: value))
    }
  }

  private enum Word: Equatable {
    case bare(String)
    case quoted(String)
    case mark(Character)
  }

  private static func words(_ text: Substring, _ line: Int) throws(SettingsError) -> [Word] {
    var words: [Word] = []
    var rest = text
    while let first = rest.first {
      switch first {
      case "#": return words
      case " ", "\t", "\r": rest = rest.dropFirst()
      case "[", "]", "=", ".":
        words.append(.mark(first))
        rest = rest.dropFirst()
      case "\"":
        guard let end = rest.dropFirst().firstIndex(of: "\"") else {
          throw SettingsError(line, "a quote is not closed")
        }
        let content = rest[rest.index(after: rest.startIndex)..<end]
        if content.contains("\\") { throw SettingsError(line, "a text has no backslash") }
        words.append(.quoted(String(content)))
        rest = rest[rest.index(after: end)...]
      default:
        let bare = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        if bare.isEmpty { throw SettingsError(line, "unexpected \(first)") }
        words.append(.bare(String(bare)))
        rest = rest[bare.endIndex...]
      }
    }
    return words
  }

  private static func header(_ words: [Word], _ line: Int) throws(SettingsError) -> (String, String?) {
    guard words.count == 3 || words.count == 5, words.last == .mark("]"), case .bare(let table) = words[1] else {
      throw SettingsError(line, "a table is [memory], [outputs], [output.NAME] or [vm.NAME]")
    }
    if words.count == 3 { return (table, nil) }
    guard words[2] == .mark(".") else {
      throw SettingsError(line, "a table is [memory], [outputs], [output.NAME] or [vm.NAME]")
    }
    switch words[3] {
    case .bare(let name), .quoted(let name): return (table, name)
    case .mark: throw SettingsError(line, "a table's name is missing")
    }
  }
}
