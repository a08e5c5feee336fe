/// Horizontal bars: the length is the median, a line spans the smallest to the largest run.
public struct BarChart: ReportChart {
  /// One bar.
  public struct Bar: Sendable {
    /// The label.
    public var label: String
    /// The colour: an index into the series.
    public var series: Int
    /// Its figure.
    public var spread: Spread

    /// A bar.
    public init(_ label: String, series: Int = 0, _ spread: Spread) {
      self.label = label
      self.series = series
      self.spread = spread
    }
  }

  /// Above the plot.
  public var title: String
  /// The unit.
  public var unit: String
  /// The names of the colours; not shown if there is only one.
  public var series: [String]
  /// The bars from top to bottom.
  public var bars: [Bar]
  /// Whether the axis is logarithmic.
  public var isLogarithmic = false

  private static let width = 760.0
  private static let left = 210.0
  private static let right = 120.0
  private static let rowHeight = 24.0

  /// A plot.
  public init(_ title: String, unit: String, series: [String] = [], bars: [Bar], isLogarithmic: Bool = false) {
    self.title = title
    self.unit = unit
    self.series = series
    self.bars = bars
    self.isLogarithmic = isLogarithmic
  }

  /// One `<svg>` element.
  public var svg: String {
    let top = series.count > 1 ? 50.0 : 30.0
    let bottom = top + Double(bars.count) * BarChart.rowHeight
    let axis = PlotAxis(bars.flatMap { [$0.spread.min, $0.spread.max] }, isLogarithmic: isLogarithmic)
    let x = { (value: Double) in
      BarChart.left + axis.position(value) * (BarChart.width - BarChart.left - BarChart.right)
    }
    var text = PlotText(width: BarChart.width, height: bottom + 26, title: "\(title), \(unit)")
    text.add(x: 0, y: 14, "\(title), \(unit)", className: "head")
    if series.count > 1 { text.addLegend(series, y: 34) }
    for tick in axis.ticks {
      text.addLine(x(tick), top, x(tick), bottom, className: "grid")
      text.add(x: x(tick), y: bottom + 16, shortNumber(tick), className: "axis", anchor: "middle")
    }
    for (index, bar) in bars.enumerated() {
      let y = top + Double(index) * BarChart.rowHeight
      let end = x(bar.spread.median)
      text.add(x: BarChart.left - 8, y: y + 16, bar.label, anchor: "end")
      text.addRect(BarChart.left, y + 4, max(end - BarChart.left, 0.5), BarChart.rowHeight - 8, series: bar.series)
      if bar.spread.max > bar.spread.min {
        text.addLine(x(bar.spread.min), y + 12, x(bar.spread.max), y + 12, className: "whisker")
      }
      let after = max(end, x(bar.spread.max)) + 6
      text.add(x: after, y: y + 16, shortNumber(bar.spread.median))
    }
    return text.svg
  }
}

/// Lines over a few places on the x axis, such as numbers of VMs.
public struct LineChart: ReportChart {
  /// One line.
  public struct Line: Sendable {
    /// Its name.
    public var name: String
    /// A figure for each place.
    public var values: [Double]

    /// A line.
    public init(_ name: String, _ values: [Double]) {
      self.name = name
      self.values = values
    }
  }

  /// Above the plot.
  public var title: String
  /// The unit.
  public var unit: String
  /// The places, evenly apart.
  public var places: [String]
  /// The unit of the places.
  public var placeUnit: String
  /// The lines.
  public var lines: [Line]

  /// A plot.
  public init(_ title: String, unit: String, places: [String], placeUnit: String, lines: [Line]) {
    self.title = title
    self.unit = unit
    self.places = places
    self.placeUnit = placeUnit
    self.lines = lines
  }

  /// One `<svg>` element.
  public var svg: String {
    let (width, left, right, top, bottom) = (760.0, 70.0, 40.0, 56.0, 256.0)
    let axis = PlotAxis(lines.flatMap(\.values), isLogarithmic: false)
    let x = { (index: Int) in
      places.count > 1 ? left + Double(index) * (width - left - right) / Double(places.count - 1) : (left + width) / 2
    }
    let y = { (value: Double) in bottom - axis.position(value) * (bottom - top) }
    var text = PlotText(width: width, height: bottom + 44, title: "\(title), \(unit)")
    text.add(x: 0, y: 14, "\(title), \(unit)", className: "head")
    text.addLegend(lines.map(\.name), y: 34)
    for tick in axis.ticks {
      text.addLine(left, y(tick), width - right, y(tick), className: "grid")
      text.add(x: left - 8, y: y(tick) + 4, shortNumber(tick), className: "axis", anchor: "end")
    }
    for (index, place) in places.enumerated() {
      text.add(x: x(index), y: bottom + 18, place, className: "axis", anchor: "middle")
    }
    text.add(x: (left + width - right) / 2, y: bottom + 36, placeUnit, className: "axis", anchor: "middle")
    for (series, line) in lines.enumerated() {
      text.addPolyline(line.values.enumerated().map { (x($0.offset), y($0.element)) }, series: series)
    }
    return text.svg
  }
}
