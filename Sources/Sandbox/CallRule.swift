/// A system call that a process may make, by its name in syscalls(2).
///
/// A name that the running kernel's architecture does not have is left out.
public enum CallRule: Equatable, Sendable {
  /// With any arguments.
  case allow(String)
  /// Only if all conditions hold.
  case allowIf(String, [ArgumentCondition])
  /// Fails with this errno, so that a library takes another way.
  case fail(String, code: Int32)

  /// The call's name.
  public var name: String {
    switch self {
    case .allow(let name), .allowIf(let name, _), .fail(let name, _): name
    }
  }
}

/// A condition on an argument. Pointers cannot be looked behind: the kernel filters numbers only.
public struct ArgumentCondition: Equatable, Sendable {
  /// How the argument is compared.
  public enum Comparison: Equatable, Sendable {
    /// The argument is this value.
    case equal(UInt64)
    /// The argument is not this value.
    case notEqual(UInt64)
    /// These bits of the argument have this value.
    case masked(UInt64, equal: UInt64)
  }

  /// The argument's number, from 0.
  public var argument: UInt32
  /// The comparison.
  public var comparison: Comparison

  /// A condition on the argument with that number.
  public init(_ argument: UInt32, _ comparison: Comparison) {
    self.argument = argument
    self.comparison = comparison
  }
}
