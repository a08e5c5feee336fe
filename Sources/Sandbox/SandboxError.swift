public import LinuxIO

/// Why a process could not give up its rights.
public enum SandboxError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// libseccomp refused a rule, or the kernel the filter; an errno.
  case filter(String, code: Int32)

  /// What failed, why, and what to do.
  public var description: String {
    let what =
      switch self {
      case .system(let error): error.description
      case .filter(let what, let code): "seccomp filter: \(what): \(SystemError.text(of: code)) (errno \(code))"
      }
    return "there is no sandbox: \(what); --sandbox off goes on without one"
  }
}
