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

/// The effective group id.
public func currentGroupID() -> UInt32 { getegid() }

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

/// Reads bytes at an offset of a file until the buffer is full.
///
/// The corresponding C function is `pread`.
/// - Throws: EIO at the end of the file.
public func readFile(
  _ fd: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
) throws(SystemError) {
  var done = 0
  while done < buffer.count {
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
    // SAFETY: the call writes at most room.count bytes.
    let count = unsafe pread(fd, room.baseAddress, room.count, offset + done)
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { throw SystemError(call: "pread", code: count < 0 ? errno : EIO, subject: "at \(offset)") }
    done += count
  }
}

/// Writes bytes at an offset of a file.
///
/// The corresponding C function is `pwrite`.
public func writeFile(_ fd: Int32, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) {
  var done = 0
  while done < bytes.count {
    let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
    // SAFETY: the call reads rest.count bytes.
    let count = unsafe pwrite(fd, rest.baseAddress, rest.count, offset + done)
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { throw SystemError(call: "pwrite", code: count < 0 ? errno : EIO, subject: "at \(offset)") }
    done += count
  }
}
