public import LinuxIO

/// Why a measurement could not be made; the text is for a person.
public struct BenchError: Error, Equatable, CustomStringConvertible {
  /// What happened and to whom.
  public let description: String

  /// An error in plain words.
  public init(_ description: String) { self.description = description }

  /// A system call that failed.
  public init(_ error: SystemError) { description = error.description }
}

/// Makes a system call's error one of the bench.
func mapped<T: ~Copyable>(_ body: () throws(SystemError) -> T) throws(BenchError) -> T {
  do throws(SystemError) {
    return try body()
  } catch {
    throw BenchError(error)
  }
}
