import Glibc

/// Maps values to positions on an axis that begins at 0 or at a power of ten.
struct PlotAxis {
  let ticks: [Double]
  private let low: Double
  private let high: Double
  private let isLogarithmic: Bool

  init(_ values: [Double], isLogarithmic: Bool) {
    let largest = max(values.filter(\.isFinite).max() ?? 1, 1e-9)
    let smallest = values.filter { $0 > 0 }.min() ?? 0
    self.isLogarithmic = isLogarithmic && smallest > 0
    if self.isLogarithmic {
      let first = log10(smallest).rounded(.down)
      let last = max(log10(largest).rounded(.up), first + 1)
      low = first
      high = last
      ticks = stride(from: first, through: last, by: 1).map { pow(10, $0) }
    } else {
      let rough = largest / 5
      let power = pow(10, log10(rough).rounded(.down))
      let step = [1.0, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
      low = 0
      high = (largest / step).rounded(.up) * step
      ticks = (0...Int((high / step).rounded())).map { Double($0) * step }
    }
  }

  /// 0 at the beginning, 1 at the end.
  func position(_ value: Double) -> Double {
    let place = isLogarithmic ? log10(max(value, 1e-300)) : value
    guard high > low, place.isFinite else { return 0 }
    return min(max((place - low) / (high - low), 0), 1)
  }
}

/// An SVG element that is being written.
struct PlotText {
  private var parts: [String] = []
  private let head: String

  init(width: Double, height: Double, title: String) {
    head =
      "<svg viewBox=\"0 0 \(Int(width)) \(Int(height))\" role=\"img\" aria-label=\"\(escaped(title))\" "
      + "xmlns=\"http://www.w3.org/2000/svg\"><title>\(escaped(title))</title>"
  }

  var svg: String { head + "\n" + parts.joined(separator: "\n") + "\n</svg>" }

  mutating func add(x: Double, y: Double, _ text: String, className: String = "", anchor: String = "start") {
    parts.append(
      "<text x=\"\(PlotText.coordinate(x))\" y=\"\(PlotText.coordinate(y))\" class=\"\(className)\" "
        + "text-anchor=\"\(anchor)\">\(escaped(text))</text>")
  }

  mutating func addLine(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, className: String) {
    let c = PlotText.coordinate
    parts.append("<line x1=\"\(c(x1))\" y1=\"\(c(y1))\" x2=\"\(c(x2))\" y2=\"\(c(y2))\" class=\"\(className)\"/>")
  }

  mutating func addRect(_ x: Double, _ y: Double, _ width: Double, _ height: Double, series: Int) {
    let c = PlotText.coordinate
    parts.append(
      "<rect x=\"\(c(x))\" y=\"\(c(y))\" width=\"\(c(width))\" height=\"\(c(height))\" class=\"f\(series % 5)\"/>")
  }

  mutating func addPolyline(_ points: [(Double, Double)], series: Int) {
    let c = PlotText.coordinate
    let list = points.map { "\(c($0.0)),\(c($0.1))" }.joined(separator: " ")
    parts.append("<polyline points=\"\(list)\" class=\"s\(series % 5)\"/>")
    for point in points {
      parts.append("<circle cx=\"\(c(point.0))\" cy=\"\(c(point.1))\" r=\"3.5\" class=\"f\(series % 5)\"/>")
    }
  }

  /// Coloured squares with their names, in one row.
  mutating func addLegend(_ names: [String], y: Double) {
    var x = 0.0
    for (index, name) in names.enumerated() {
      addRect(x, y - 10, 12, 12, series: index)
      add(x: x + 18, y: y, name)
      x += 18 + Double(name.count) * 7 + 24
    }
  }

  private static func coordinate(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(abs(tenths % 10))"
  }
}
