/// The line of each key in a TOML document; the parser reports only the positions of syntax errors.
///
/// For documents that the parser has accepted; for others the result is meaningless, but safe.
struct KeyLines {
  private var lines: [[String]: Int] = [:]

  /// The line of a key by its path, or of the nearest table or key around it; from 1.
  func line(of path: [String]) -> Int? {
    var path = path[...]
    while !path.isEmpty {
      if let line = lines[Array(path)] { return line }
      path = path.dropLast()
    }
    return nil
  }

  init(_ text: String) {
    var reader = Reader(text)
    var table: [String] = []
    while let first = reader.skipToStatement() {
      let line = reader.line
      if first == "[" {
        table = reader.header()
        note(table, line)
      } else {
        let key = table + reader.path(until: "=")
        note(key, line)
        reader.value(of: key) { note($0, $1) }
      }
    }
  }

  private mutating func note(_ path: [String], _ line: Int) { if lines[path] == nil { lines[path] = line } }

  /// Walks through the text, unicode scalar by unicode scalar.
  private struct Reader {
    private let scalars: [Unicode.Scalar]
    private var place = 0
    private(set) var line = 1

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

    private mutating func take() {
      if next == "\n" { line += 1 }
      place += 1
    }

    private func sees(_ word: String) -> Bool {
      scalars[place...].starts(with: word.unicodeScalars)
    }

    private mutating func skipComment() {
      while let scalar = next, scalar != "\n" {
        _ = scalar
        take()
      }
    }

    /// The first scalar of the next table or key; nil at the end.
    mutating func skipToStatement() -> Unicode.Scalar? {
      while let scalar = next {
        switch scalar {
        case " ", "\t", "\r", "\n", "\u{FEFF}": take()
        case "#": skipComment()
        default: return scalar
        }
      }
      return nil
    }

    /// The path in `[table]` or `[[table]]`.
    mutating func header() -> [String] {
      while next == "[" { take() }
      let path = path(until: "]")
      skipLine()
      return path
    }

    private mutating func skipLine() {
      while let scalar = next, scalar != "\n" {
        _ = scalar
        take()
      }
    }

    /// A key's parts up to a mark, which is taken.
    mutating func path(until mark: Unicode.Scalar) -> [String] {
      var parts: [String] = []
      var part = ""
      while let scalar = next, scalar != "\n" {
        switch scalar {
        case mark:
          take()
          return parts + [part]
        case ".":
          take()
          parts.append(part)
          part = ""
        case " ", "\t", "\r": take()
        case "\"", "'": part += quoted()
        default:
          part.unicodeScalars.append(scalar)
          take()
        }
      }
      return parts + [part]
    }

    /// A string's content. Only the simplest escapes are decoded, since keys of settings need no others.
    private mutating func quoted() -> String {
      guard let quote = next else { return "" }
      let triple = String(repeating: Character(quote), count: 3)
      let isTriple = sees(triple)
      for _ in 0..<(isTriple ? 3 : 1) { take() }
      var content = ""
      while let scalar = next {
        if scalar == "\\", quote == "\"" {
          take()
          if let escaped = next {
            content.unicodeScalars.append(escaped)
            take()
          }
        } else if isTriple ? sees(triple) : scalar == quote {
          for _ in 0..<(isTriple ? 3 : 1) { take() }
          // Up to two quotes may stand before the closing ones.
          while isTriple, next == quote { take() }
          return content
        } else if !isTriple, scalar == "\n" {
          return content
        } else {
          content.unicodeScalars.append(scalar)
          take()
        }
      }
      return content
    }

    /// Skips a value, noting the keys of inline tables in it.
    mutating func value(of path: [String], _ note: ([String], Int) -> Void) {
      while let scalar = next {
        switch scalar {
        case "\n": return
        case "#": return skipComment()
        case "\"", "'": _ = quoted()
        case "[": list(of: path, note)
        case "{": table(of: path, note)
        case ",", "]", "}": return
        default: take()
        }
      }
    }

    private mutating func list(of path: [String], _ note: ([String], Int) -> Void) {
      take()
      while let scalar = next {
        switch scalar {
        case "]": return take()
        case "#": skipComment()
        case ",", " ", "\t", "\r", "\n": take()
        default:
          let before = place
          value(of: path, note)
          if place == before { take() }
        }
      }
    }

    private mutating func table(of path: [String], _ note: ([String], Int) -> Void) {
      take()
      while let scalar = next {
        switch scalar {
        case "}": return take()
        case "#": skipComment()
        case ",", " ", "\t", "\r", "\n": take()
        default:
          let before = place
          let at = line
          let key = path + self.path(until: "=")
          note(key, at)
          value(of: key, note)
          if place == before { take() }
        }
      }
    }
  }
}
