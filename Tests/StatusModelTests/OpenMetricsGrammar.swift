/// A strict parser of OpenMetrics 1.0 text: refuses everything that the standard's grammar and its rules for the types
/// in use do not allow.
enum OpenMetricsGrammar {
  struct Violation: Error {
    var line: String
    var why: String
  }

  struct Sample {
    var line: String
    var name: String
    var labels: [String: String]
    var value: String
  }

  struct Family {
    var name: String
    var kind: String
    var unit: String?
    var samples: [Sample] = []
  }

  private static let suffixes: [String: [String]] = [
    "gauge": [""], "counter": ["_total"], "info": ["_info"], "stateset": [""],
    "histogram": ["_bucket", "_count", "_sum"],
  ]

  static func parse(_ text: String) throws -> [Family] {
    guard text.hasSuffix("# EOF\n") else { throw Violation(line: "", why: "# EOF is not the end") }
    // By scalars: a character such as \r\n is not the end of a line.
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    var families: [Family] = []
    var series: Set<String> = []
    for line in lines.dropLast(2) {
      if line.hasPrefix("#") {
        try describe(line, &families)
        continue
      }
      guard var family = families.popLast() else { throw Violation(line: line, why: "no family") }
      let sample = try sample(line)
      try check(sample, family)
      let identity = sample.name + sample.labels.sorted { $0.key < $1.key }.description
      guard series.insert(identity).inserted else { throw Violation(line: line, why: "the series stands twice") }
      family.samples.append(sample)
      families.append(family)
    }
    guard Set(families.map(\.name)).count == families.count else { throw Violation(line: "", why: "a family twice") }
    for family in families where family.kind == "histogram" { try checkHistogram(family) }
    for family in families where family.kind == "stateset" { try checkStates(family) }
    return families
  }

  private static func describe(_ line: String, _ families: inout [Family]) throws {
    let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
    guard words.count == 4, words[0] == "#", isName(words[2]) else { throw Violation(line: line, why: "comment") }
    if words[1] == "TYPE" {
      guard suffixes[words[3]] != nil else { throw Violation(line: line, why: "type") }
      return families.append(Family(name: words[2], kind: words[3]))
    }
    guard let last = families.indices.last, families[last].name == words[2], families[last].samples.isEmpty else {
      throw Violation(line: line, why: "description of another family")
    }
    switch words[1] {
    case "UNIT":
      guard words[2].hasSuffix("_" + words[3]) else { throw Violation(line: line, why: "unit is not in the name") }
      families[last].unit = words[3]
    case "HELP": _ = try unescaped(words[3], line)
    default: throw Violation(line: line, why: "comment")
    }
  }

  private static func sample(_ line: String) throws -> Sample {
    var rest = Substring(line)
    let name = rest.prefix { $0 != "{" && $0 != " " }
    guard isName(name) else { throw Violation(line: line, why: "name") }
    rest = rest.dropFirst(name.count)
    var labels: [String: String] = [:]
    if rest.first == "{" {
      var scalars = rest.unicodeScalars.dropFirst()
      repeat {
        let label = String(scalars.prefix { $0 != "=" })
        scalars = scalars.dropFirst(label.unicodeScalars.count + 1)
        guard isName(label), !label.contains(":"), labels[label] == nil, scalars.popFirst() == "\"" else {
          throw Violation(line: line, why: "label")
        }
        var value = String.UnicodeScalarView()
        while let scalar = scalars.popFirst(), scalar != "\"" {
          value.append(scalar)
          if scalar == "\\", let next = scalars.popFirst() { value.append(next) }
        }
        labels[label] = try unescaped(String(value), line)
      } while scalars.first == "," && scalars.popFirst() != nil
      guard scalars.popFirst() == "}" else { throw Violation(line: line, why: "labels do not end") }
      rest = Substring(scalars)
    }
    guard rest.first == " " else { throw Violation(line: line, why: "no value") }
    let value = String(rest.dropFirst())
    guard value.allSatisfy({ $0.isASCII && ($0.isNumber || "+-.eE".contains($0)) }), let number = Double(value),
      number.isFinite
    else { throw Violation(line: line, why: "value") }
    return Sample(line: line, name: String(name), labels: labels, value: value)
  }

  private static func check(_ sample: Sample, _ family: Family) throws {
    let suffix = sample.name.dropFirst(family.name.count)
    guard sample.name.hasPrefix(family.name), suffixes[family.kind]?.contains(String(suffix)) == true else {
      throw Violation(line: sample.line, why: "not of \(family.name)")
    }
    let value = Double(sample.value) ?? .nan
    switch family.kind {
    case "counter", "histogram":
      guard value >= 0 else { throw Violation(line: sample.line, why: "a count below 0") }
    case "info":
      guard value == 1 else { throw Violation(line: sample.line, why: "an info that is not 1") }
    case "stateset":
      guard value == 0 || value == 1, sample.labels[family.name] != nil else {
        throw Violation(line: sample.line, why: "state")
      }
    default: break
    }
    guard (sample.labels["le"] != nil) == (suffix == "_bucket") else { throw Violation(line: sample.line, why: "le") }
  }

  private static func checkHistogram(_ family: Family) throws {
    var buckets: [String: [(bound: Double, count: Double)]] = [:]
    for sample in family.samples {
      let key = sample.labels.filter { $0.key != "le" }.sorted { $0.key < $1.key }.description
      let count = Double(sample.value) ?? .nan
      if let text = sample.labels["le"] {
        guard let bound = text == "+Inf" ? .infinity : Double(text) else {
          throw Violation(line: sample.line, why: "le")
        }
        if let last = buckets[key]?.last, last.bound >= bound || last.count > count {
          throw Violation(line: sample.line, why: "buckets are not in order")
        }
        buckets[key, default: []].append((bound, count))
      } else if sample.name.hasSuffix("_count") {
        guard let last = buckets[key]?.last, last.bound == .infinity, last.count == count else {
          throw Violation(line: sample.line, why: "the count is not that of +Inf")
        }
      }
    }
  }

  private static func checkStates(_ family: Family) throws {
    var present: [String: Int] = [:]
    for sample in family.samples {
      let key = sample.labels.filter { $0.key != family.name }.description
      present[key, default: 0] += sample.value == "1" ? 1 : 0
    }
    guard present.values.allSatisfy({ $0 == 1 }) else { throw Violation(line: family.name, why: "not one state") }
  }

  private static func isName(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, !(0x30...0x39).contains(first), first < 0x80 else { return false }
    return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
  }

  private static func unescaped(_ text: String, _ line: String) throws -> String {
    var result = String.UnicodeScalarView()
    var scalars = text.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      if scalar != "\\" {
        result.append(scalar)
        continue
      }
      switch scalars.popFirst() {
      case "n": result.append("\n")
      case "\\": result.append("\\")
      case "\"": result.append("\"")
      default: throw Violation(line: line, why: "escape")
      }
    }
    return String(result)
  }
}
