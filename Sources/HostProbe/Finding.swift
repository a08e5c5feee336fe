/// One result of doctor.
public struct Finding: Equatable, Sendable, Encodable {
  /// The severity of a finding.
  public enum Severity: String, Sendable, Encodable, CaseIterable {
    /// No fault.
    case ok
    /// Works, but could be better, or matters for some uses only.
    case note
    /// A feature that Framepath needs does not work.
    case problem
  }
  /// The severity.
  public let severity: Severity
  /// The subject in a few letters: `/dev/kvm`, `udmabuf`.
  public let topic: String
  /// The observation.
  public let seen: String
  /// The remedy; nil if none is needed.
  public let advice: String?

  /// A finding.
  public init(_ severity: Severity, _ topic: String, _ seen: String, advice: String? = nil) {
    self.severity = severity
    self.topic = topic
    self.seen = seen
    self.advice = advice
  }
}

/// All findings, as text or JSON.
public struct DoctorReport: Encodable, Sendable {
  /// The number of problems.
  public let problems: Int
  /// The findings in the order of the checks.
  public let findings: [Finding]

  /// A report of these findings.
  public init(_ findings: [Finding]) {
    self.findings = findings
    problems = findings.count { $0.severity == .problem }
  }

  /// The report as lines of text.
  ///
  /// - Parameters:
  ///   - symbols: ✓, ! and ✗ instead of words.
  ///   - columns: the width to wrap at; at least 60.
  public func lines(symbols: Bool, columns: Int) -> [String] {
    let topicWidth = (findings.map(\.topic.count).max() ?? 0) + 2
    let marks: [Finding.Severity: String] =
      symbols
      ? [.ok: "✓", .note: "!", .problem: "✗"] : [.ok: "ok", .note: "note", .problem: "problem"]
    let markWidth = (marks.values.map(\.count).max() ?? 0) + 1
    let indent = String(repeating: " ", count: markWidth + topicWidth)
    let textWidth = max(columns, 60) - indent.count
    var lines: [String] = []
    for finding in findings {
      let mark = DoctorReport.padded(marks[finding.severity] ?? "", to: markWidth)
      let head = mark + DoctorReport.padded(finding.topic, to: topicWidth)
      for (index, line) in DoctorReport.wrapped(finding.seen, width: textWidth).enumerated() {
        lines.append((index == 0 ? head : indent) + line)
      }
      guard let advice = finding.advice else { continue }
      for (index, line) in DoctorReport.wrapped(advice, width: textWidth - 3).enumerated() {
        lines.append(indent + (index == 0 ? (symbols ? "→  " : "-> ") : "   ") + line)
      }
    }
    let notes = findings.count { $0.severity == .note }
    lines.append("")
    lines.append("\(DoctorReport.counted(problems, "problem")), \(DoctorReport.counted(notes, "note")).")
    return lines
  }

  static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0))
  }

  private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  /// Splits a text into lines of whole words; a word that is wider gets its own line.
  static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty && line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? String(word) : " \(word)"
    }
    return lines + [line]
  }
}
