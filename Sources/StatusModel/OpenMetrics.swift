/// Encodes a status as OpenMetrics 1.0 text.
public enum OpenMetrics {
  /// The media type of the text.
  public static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

  /// The text. Families without a value (an unlimited capacity, scanouts without VMs) have no samples.
  public static func text(of status: DaemonStatus) -> String {
    var text = ""
    for family in families {
      let unit = family.unit.map { "# UNIT \(family.name) \($0)\n" } ?? ""
      text += "# TYPE \(family.name) \(family.kind.rawValue)\n\(unit)# HELP \(family.name) \(escaped(family.help))\n"
      for sample in family.samples(status) {
        text += "\(family.name)\(sample.suffix)\(labels(sample.labels)) \(sample.value)\n"
      }
    }
    return text + "# EOF\n"
  }

  private static func labels(_ labels: [(name: String, value: String)]) -> String {
    if labels.isEmpty { return "" }
    return "{\(labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ","))}"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The table of families in Markdown, for the documentation.
  public static var documentation: [String] {
    ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
      + families.map { family in
        let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
        return "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |"
      }
  }
}
