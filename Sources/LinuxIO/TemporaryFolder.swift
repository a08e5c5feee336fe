import Glibc

/// A private folder below /tmp (or $TMPDIR), removed with its files when the object is released.
public final class TemporaryFolder {
  /// The path, without a trailing slash.
  public let path: String

  /// Creates the folder with access for this user only.
  ///
  /// The corresponding C function is `mkdtemp`.
  public init(prefix: String = "framepath") throws(SystemError) {
    let parent = environmentVariable("TMPDIR") ?? "/tmp"
    // mkdtemp(3) replaces the six X at the end.
    let pattern = "\(parent)/\(prefix)." + String(repeating: "X", count: 6)
    var template = Array(pattern.utf8CString)
    let isMade = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return false }
      return unsafe mkdtemp(base) != nil
    }
    guard isMade else { throw SystemError(call: "mkdtemp", code: errno, subject: pattern) }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    for name in (try? LinuxFile.list(path)) ?? [] { removeFile("\(path)/\(name)") }
    _ = unsafe rmdir(path)
  }
}
