/// The value of `--sandbox`.
public enum SandboxSwitch: String, Sendable {
  /// The process is restricted after its start.
  case on
  /// It keeps all rights of its user, to look for faults of the sandbox or of this host.
  case off

  /// Another word.
  public struct Invalid: Error, CustomStringConvertible {
    /// The words that are allowed.
    public var description: String { "use on or off" }
  }

  /// The value of a command line's option.
  public static func parse(_ text: String) throws(Invalid) -> SandboxSwitch {
    guard let value = SandboxSwitch(rawValue: text) else { throw Invalid() }
    return value
  }
}
