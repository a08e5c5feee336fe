/// A metric family of the OpenMetrics text: its name, and how its values are derived from a status.
public struct MetricFamily: Sendable {
  /// The metric types in use, as spelled in OpenMetrics 1.0.
  public enum Kind: String, Sendable {
    /// A value that goes up and down.
    case gauge
    /// A sum that only rises, until its object is recreated.
    case counter
    /// Text in labels; the value is 1.
    case info
    /// One series for each state; the value of the current one is 1.
    case stateSet = "stateset"
    /// Counts of values up to each bound.
    case histogram
  }

  /// One line of the text.
  struct Sample: Equatable {
    /// The suffix of the family's name: `_total`, `_info`, `_bucket`, …
    var suffix = ""
    var labels: [(name: String, value: String)] = []
    var value: MetricValue

    static func == (left: Sample, right: Sample) -> Bool {
      left.suffix == right.suffix && left.value == right.value
        && left.labels.elementsEqual(right.labels) { $0 == $1 }
    }
  }

  /// Without the suffix of its samples.
  public var name: String
  /// Its type.
  public var kind: Kind
  /// The base unit, which is also the name's ending; nil for a number.
  public var unit: String?
  /// Names of the labels of each sample except `le`, in order.
  public var labels: [String]
  /// The help text, one sentence.
  public var help: String
  let samples: @Sendable (DaemonStatus) -> [Sample]
}

/// A number of a sample: an integer, or a decimal for nanoseconds, which are not rounded.
enum MetricValue: Equatable, CustomStringConvertible {
  case integer(UInt64)
  case milli(Int)
  /// As seconds.
  case nanoseconds(UInt64)

  var description: String {
    switch self {
    case .integer(let value): "\(value)"
    case .milli(let value): MetricValue.decimal(UInt64(clamping: value), places: 3)
    case .nanoseconds(let value): MetricValue.decimal(value, places: 9)
    }
  }

  private static func decimal(_ value: UInt64, places: Int) -> String {
    var digits = Array(String(value))
    if digits.count <= places {
      digits.insert(contentsOf: String(repeating: "0", count: places + 1 - digits.count), at: 0)
    }
    var fraction = digits.suffix(places)
    while fraction.count > 1, fraction.last == "0" { fraction.removeLast() }
    return String(digits.dropLast(places)) + "." + String(fraction)
  }
}

extension MetricValue {
  init(_ isSo: Bool) { self = .integer(isSo ? 1 : 0) }
  init(_ count: some BinaryInteger) { self = .integer(UInt64(clamping: count)) }
}
