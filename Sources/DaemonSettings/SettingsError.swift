/// Rejected settings; nothing has changed.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line of the configuration file, from 1; nil if the error is not about a line.
  public var line: Int?
  /// The fault and the remedy.
  public var reason: String

  /// An error that is not about a line.
  public init(_ reason: String) { self.init(nil, reason) }

  /// An error about a line.
  public init(_ line: Int?, _ reason: String) {
    self.line = line
    self.reason = reason
  }

  /// The error with its line.
  public var description: String { line.map { "line \($0): \(reason)" } ?? reason }
}
