import FoundationEssentials

/// A page of figures: one self-contained HTML file with inline SVG, for light and dark screens and for print.
///
/// Has no scripts and loads nothing, so that it can be mailed and archived.
public struct ReportPage: Sendable {
  /// A headed part of the page.
  public struct Section: Sendable {
    /// Its heading.
    public var title: String
    /// Paragraphs below the heading.
    public var notes: [String] = []
    /// Plots, in their order.
    public var charts: [any ReportChart] = []
    /// Tables: titles, then rows.
    public var tables: [[[String]]] = []

    /// A part without content.
    public init(title: String) { self.title = title }
  }

  /// The page's title.
  public var title: String
  /// The command line that produced it.
  public var command: String
  /// Notes on the measurement and the machine.
  public var notes: [String]
  /// Everything else.
  public var sections: [Section]

  /// A page.
  public init(title: String, command: String, notes: [String], sections: [Section]) {
    self.title = title
    self.command = command
    self.notes = notes
    self.sections = sections
  }

  /// The file.
  public var html: String {
    var body = "<h1>\(escaped(title))</h1>\n<p class=\"command\"><code>\(escaped(command))</code></p>\n"
    body += "<p>\(escaped(Date.now.formatted(.iso8601)))</p>\n"
    for note in notes { body += "<p>\(escaped(note))</p>\n" }
    for section in sections {
      body += "<section>\n<h2>\(escaped(section.title))</h2>\n"
      for note in section.notes { body += "<p>\(escaped(note))</p>\n" }
      for chart in section.charts { body += "<figure>\n\(chart.svg)\n</figure>\n" }
      for table in section.tables { body += ReportPage.table(table) }
      body += "</section>\n"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escaped(title))</title>
      <style>
      \(ReportPage.style)
      </style>
      </head>
      <body>
      \(body)</body>
      </html>

      """
  }

  private static func table(_ rows: [[String]]) -> String {
    guard let titles = rows.first else { return "" }
    var text = "<div class=\"wide\"><table>\n<thead><tr>"
    for title in titles { text += "<th scope=\"col\">\(escaped(title))</th>" }
    text += "</tr></thead>\n<tbody>\n"
    for row in rows.dropFirst() {
      text += "<tr>"
      for (index, cell) in row.enumerated() {
        text += index == 0 ? "<th scope=\"row\">\(escaped(cell))</th>" : "<td>\(escaped(cell))</td>"
      }
      text += "</tr>\n"
    }
    return text + "</tbody>\n</table></div>\n"
  }

  /// Colours that are distinguishable with colour blindness, on light and dark backgrounds.
  private static let style = """
    :root { color-scheme: light dark; --ground: #fff; --ink: #1d2126; --faint: #667; --line: #d5d9e0;
      --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b8860b; }
    @media (prefers-color-scheme: dark) {
      :root { --ground: #15181c; --ink: #e6e8eb; --faint: #a0a6b0; --line: #3a4048;
        --c0: #56b4e9; --c1: #ff9248; --c2: #35c99b; --c3: #e69fc8; --c4: #e6c229; }
    }
    body { font: 15px/1.5 system-ui, sans-serif; background: var(--ground); color: var(--ink);
      max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
    h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-top: 1px solid var(--line);
      padding-top: 1rem; }
    .command code { background: color-mix(in srgb, var(--ink) 8%, transparent); padding: .2em .4em; }
    figure { margin: 1rem 0; break-inside: avoid; }
    svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
    svg text { fill: var(--ink); } svg .axis { fill: var(--faint); } svg .head { font-weight: 600; font-size: 13px; }
    svg .grid { stroke: var(--line); stroke-width: 1; } svg .whisker { stroke: var(--ink); stroke-width: 1.5; }
    .f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); }
    .f4 { fill: var(--c4); }
    .s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); }
    .s4 { stroke: var(--c4); } polyline { fill: none; stroke-width: 2; }
    .wide { overflow-x: auto; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; margin: 1rem 0; }
    th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
    th[scope=row], thead th:first-child { text-align: left; font-weight: 500; }
    @media print { :root { --ground: #fff; --ink: #000; --faint: #444; --line: #bbb;
        --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #8a6508; }
      body { max-width: none; margin: 0; font-size: 11px; print-color-adjust: exact; } .wide { overflow: visible; }
      table { font-size: 8px; } th, td { white-space: normal; padding: .1rem .3rem; } }
    """
}

/// A plot on a page.
public protocol ReportChart: Sendable {
  /// One `<svg>` element.
  var svg: String { get }
}

/// Text for HTML and SVG.
func escaped(_ text: String) -> String {
  var result = ""
  for character in text {
    switch character {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    default: result.append(character)
    }
  }
  return result
}

/// A readable number: about three digits, no exponent.
func shortNumber(_ value: Double) -> String {
  guard value.isFinite, abs(value) < 1e15 else { return "-" }
  let decimals = abs(value) >= 100 || value == value.rounded() ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 0.095 ? 2 : 4
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  let scaled = Int((value * scale).rounded())
  if decimals == 0 { return "\(scaled)" }
  let whole = abs(scaled) / Int(scale)
  let fraction = String(abs(scaled) % Int(scale))
  return (scaled < 0 ? "-" : "") + "\(whole).\(String(repeating: "0", count: decimals - fraction.count))\(fraction)"
}
