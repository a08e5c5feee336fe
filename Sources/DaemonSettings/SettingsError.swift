/// Why settings are refused; the state is then as it was before.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line of the configuration file, from 1; nil where no line is to blame.
  public var line: Int?
  /// What is wrong and what would be right.
  public var reason: String

  /// A reason, where no line is to blame.
  public init(_ reason: String) { self.init(nil, reason) }

  /// A reason, and the line that it is about.
  public init(_ line: Int?, _ reason: String) {
    self.line = line
    self.reason = reason
  }

  /// The error for a person.
  public var description: String { line.map { "line \($0): \(reason)" } ?? reason }
}
