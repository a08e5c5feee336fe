import ArgumentParser

/// A command that a help text shows, as a shell would read it.
struct HelpExample: CustomStringConvertible {
  let description: String
  /// Words by command: a pipeline and a command substitution have several.
  let commands: [[String]]

  /// The examples of a command's help as it is printed on a terminal of 80 columns.
  static func all(of command: any ParsableCommand.Type, in root: any ParsableCommand.Type) -> [HelpExample] {
    var examples: [HelpExample] = []
    var isInside = false
    var pending = ""
    for line in root.helpMessage(for: command, columns: 80).split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "Examples:" || line == "Example:" {
        isInside = true
      } else if !line.hasPrefix("  ") {
        isInside = false
      } else if isInside {
        let text = line.drop { $0 == " " }
        if text.hasSuffix("\\") {
          pending += text.dropLast()
        } else {
          examples.append(HelpExample(pending + text))
          pending = ""
        }
      }
    }
    return examples
  }

  init(_ text: String) {
    description = text
    commands = HelpExample.commands(in: text)
  }

  /// Splits as a shell does: quotes, `|`, `&` at the end, `$(…)`, `>`; variables stay as they are.
  private static func commands(in text: String) -> [[String]] {
    var commands: [[String]] = []
    var words: [String] = []
    var word: String?
    var quote: Character?
    var rest = Substring(text)
    let endWord = {
      if let finished = word { words.append(finished) }
      word = nil
    }
    while let character = rest.popFirst() {
      if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
      } else if character == "'" || character == "\"" {
        quote = character
        word = word ?? ""
      } else if character == "$", rest.first == "(", let end = rest.firstIndex(of: ")") {
        commands += HelpExample.commands(in: String(rest[..<end].dropFirst()))
        rest = rest[end...].dropFirst()
        word = (word ?? "") + "substituted"
      } else if character == " " {
        endWord()
      } else if character == ">" {
        // A redirection is the shell's, and so is its file's name.
        endWord()
        rest = rest.drop { $0 == " " }.drop { $0 != " " }
      } else if character == "|" || (character == "&" && rest.isEmpty) {
        endWord()
        commands.append(words)
        words = []
      } else {
        word = (word ?? "") + String(character)
      }
    }
    endWord()
    return (commands + [words]).filter { !$0.isEmpty }
  }
}
