import Glibc
public import LinuxIO

/// A failed measurement.
public struct BenchError: Error, Equatable, CustomStringConvertible {
  /// The message for the user, which names the process.
  public let description: String

  /// An error with its message.
  public init(_ description: String) { self.description = description }

  /// A system call that failed.
  public init(_ error: SystemError) { description = error.description }

  /// Figures of a process that /proc did not give: it has ended, or its sandbox hides them from others of its user.
  init(reading name: String, pid: Int32, _ error: SystemError) {
    if error.code == EACCES || error.code == EPERM {
      description =
        "\(name) (process \(pid)): \(error). Its sandbox lets only root see its memory and descriptors: run this as root"
    } else {
      description = "\(name) (process \(pid)) has ended: \(error)"
    }
  }
}

/// Converts a system call's error.
func mapped<T: ~Copyable>(_ body: () throws(SystemError) -> T) throws(BenchError) -> T {
  do throws(SystemError) {
    return try body()
  } catch {
    throw BenchError(error)
  }
}
