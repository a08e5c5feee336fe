public import DaemonSettings
import TOMLKit

/// The daemon's configuration file: TOML 1.0.
public enum SettingsFile {
  /// Reads a file's text and returns its changes, those for all outputs before those for one output.
  ///
  /// - Throws: the first line that is invalid TOML, or has an unknown key or a value that the key does not take.
  public static func changes(_ text: String) throws(SettingsError) -> [SettingChange] {
    // The parser takes a C string.
    for forbidden in ["\0", "\\u0000", "\\U00000000"] {
      if let place = text.range(of: forbidden) {
        throw SettingsError(text[..<place.lowerBound].count { $0.isNewline } + 1, "a NUL character is not allowed")
      }
    }
    let root: TOMLTable
    do {
      root = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      throw SettingsError(error.source.begin.line, error.description)
    } catch {
      throw SettingsError(nil, "\(error)")
    }
    let lines = KeyLines(text)
    var entries: [Entry] = []
    for (name, table) in try tables(root, lines) {
      for (key, value) in table.entries {
        entries.append(
          Entry(target: name.target, key: key, value: value, line: lines.line(of: name.path + [key]) ?? 1))
      }
    }
    entries.sort { $0.line < $1.line }
    let changes = try entries.map { entry throws(SettingsError) in
      try SettingChange(entry.target, entry.key, entry.value, line: entry.line)
    }
    return changes.filter { $0.target == .allOutputs } + changes.filter { $0.target != .allOutputs }
  }

  private struct Entry {
    let target: SettingTarget
    let key: String
    let value: SettingLiteral
    let line: Int
  }

  private struct TableName {
    let target: SettingTarget
    let path: [String]
  }

  /// The tables that hold settings.
  private static func tables(_ root: TOMLTable, _ lines: KeyLines) throws(SettingsError) -> [(TableName, TOMLTable)] {
    var found: [(TableName, TOMLTable)] = []
    for key in root.keys {
      let line = lines.line(of: [key])
      guard let table = root[key]?.table else {
        if root[key]?.type == .array, ["outputs", "output", "memory", "vm", "sockets", "clients"].contains(key) {
          throw SettingsError(line, "[[\(key)]] is a list of tables; \(forms)")
        }
        throw SettingsError(line, "\(key) is not in a table; \(forms)")
      }
      switch key {
      case "outputs": found.append((TableName(target: .allOutputs, path: [key]), table))
      case "clients": found.append((TableName(target: .clients, path: [key]), table))
      case "sockets": found.append((TableName(target: .sockets, path: [key]), table))
      case "memory": found.append((TableName(target: .memory, path: [key]), table))
      case "output", "vm":
        for name in table.keys {
          guard let inner = table[name]?.table else {
            throw SettingsError(
              lines.line(of: [key, name]), "\(name) is in [\(key)], which has a table for each name: [\(key).NAME]")
          }
          let scope: SettingScope = key == "vm" ? .vm : .output
          guard !name.isEmpty else {
            throw SettingsError(lines.line(of: [key, name]), "a name is empty; \(forms)")
          }
          found.append((TableName(target: SettingTarget(scope, name: name), path: [key, name]), inner))
        }
      default: throw SettingsError(line, "there is no table [\(key)]; \(forms)")
      }
    }
    return found
  }

  private static let forms = "a table is [sockets], [clients], [memory], [outputs], [output.NAME] or [vm.NAME]"
}

extension TOMLTable {
  /// The keys and values as literals.
  fileprivate var entries: [(String, SettingLiteral)] {
    keys.map { key in (key, self[key].map { $0.literal } ?? .other("nothing")) }
  }
}

extension TOMLValueConvertible {
  fileprivate var literal: SettingLiteral {
    switch type {
    case .string: .text(string ?? "")
    case .int: .whole(Int64(int ?? 0))
    case .double: .fraction(double ?? 0)
    case .bool: .boolean(bool ?? false)
    case .array: .list(array.map { array in array.map { $0.literal } } ?? [])
    case .table: .other("a table")
    case .date, .time, .dateTime: .other("a \(type)")
    }
  }
}

extension String {
  /// A range that starts at the first occurrence of a text.
  fileprivate func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<endIndex }
      start = index(after: start)
    }
    return nil
  }
}
