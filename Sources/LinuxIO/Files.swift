import Glibc

/// Removes a file; a missing one is not an error.
///
/// The corresponding C function is `unlink`.
public func removeFile(_ path: String) {
  _ = unsafe unlink(path)
}

/// This process's id.
public func currentProcessID() -> Int32 { getpid() }

/// The effective user id.
public func currentUserID() -> UInt32 { geteuid() }

/// The value of an environment variable; nil if it is unset or empty.
public func environmentVariable(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  let text = unsafe String(cString: value)
  return text.isEmpty ? nil : text
}

/// Removes an empty folder; a missing one is not an error.
///
/// The corresponding C function is `rmdir`.
public func removeFolder(_ path: String) {
  _ = unsafe rmdir(path)
}
