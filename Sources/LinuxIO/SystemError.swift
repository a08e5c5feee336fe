public import Glibc

/// A failed system call with its errno.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call's name, as in its man page.
  public let call: String
  /// The errno value.
  public let code: Int32
  /// The object of the call: a path or a size; may be empty.
  public let subject: String

  /// - Parameters:
  ///   - call: the call's name, as in its man page.
  ///   - code: an errno value.
  ///   - subject: a path or a size; may be empty.
  public init(call: String, code: Int32, subject: String = "") {
    self.call = call
    self.code = code
    self.subject = subject
  }

  /// For example `open /dev/dri/card0: Permission denied (errno 13)`.
  public var description: String {
    let about = subject.isEmpty ? call : "\(call) \(subject)"
    return "\(about): \(SystemError.text(of: code)) (errno \(code))"
  }

  /// The corresponding C function is `strerror_r`.
  public static func text(of code: Int32) -> String {
    unsafe String(cString: strerror(code))
  }
}

/// Runs `body`, repeating it after EINTR; a result of -1 becomes a typed error.
///
/// - Parameters:
///   - call: the call's name for the error.
///   - subject: the object of the call; evaluated only for an error.
@inlinable
@discardableResult
public func check<T: FixedWidthInteger>(
  _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> T
) throws(SystemError) -> T {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno
    if code == EINTR { continue }
    throw SystemError(call: "\(call)", code: code, subject: subject())
  }
}
