public import LinuxIO

/// A failed measurement.
public struct BenchError: Error, Equatable, CustomStringConvertible {
  /// The message for the user, which names the process.
  public let description: String

  /// An error with its message.
  public init(_ description: String) { self.description = description }

  /// A system call that failed.
  public init(_ error: SystemError) { description = error.description }
}

/// Converts a system call's error.
func mapped<T: ~Copyable>(_ body: () throws(SystemError) -> T) throws(BenchError) -> T {
  do throws(SystemError) {
    return try body()
  } catch {
    throw BenchError(error)
  }
}
