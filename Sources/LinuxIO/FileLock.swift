import Glibc

/// An exclusive lock on a file, held by at most one process; the kernel releases it when that process ends.
public struct FileLock: ~Copyable {
  private let fd: OwnedFD

  /// The result of trying to lock.
  public enum Outcome: ~Copyable {
    /// This process holds the lock while the value lives.
    case locked(FileLock)
    /// Another process holds it; its id, if the file contains it.
    case held(by: Int32?)
  }

  private init(_ fd: consuming OwnedFD) { self.fd = fd }

  /// Locks the file at `path`, creating it if necessary, and writes this process's id into it.
  ///
  /// The corresponding C function is `flock(LOCK_EX | LOCK_NB)`.
  /// - Throws: ELOOP if the file is a symbolic link, EPERM if it is another user's or not a regular file: neither is
  ///   written to.
  public static func acquire(_ path: String) throws(SystemError) -> Outcome {
    let fd = try OwnedFD.open(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)
    let raw = fd.raw
    var info = stat()
    guard unsafe fstat(raw, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_uid == geteuid() else {
      throw SystemError(call: "open", code: EPERM, subject: "\(path), which is not a file of user \(geteuid())")
    }
    do throws(SystemError) {
      try check("flock", path) { flock(raw, LOCK_EX | LOCK_NB) }
    } catch {
      guard error.code == EWOULDBLOCK else { throw error }
      return .held(by: LinuxFile.text(path).flatMap { Int32($0) })
    }
    let text = "\(getpid())"
    _ = ftruncate(raw, 0)
    _ = unsafe pwrite(raw, text, text.utf8.count, 0)
    return .locked(FileLock(fd))
  }
}

/// Creates a directory; an existing one is not an error.
///
/// The corresponding C function is `mkdir`.
/// - Parameter mode: its permissions, before the umask.
public func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
  do throws(SystemError) {
    try check("mkdir", path) { unsafe mkdir(path, mode) }
  } catch {
    if error.code != EEXIST { throw error }
  }
}

/// Raises the limit on open descriptors to the hard limit.
///
/// The corresponding C function is `setrlimit(RLIMIT_NOFILE)`; failure is ignored.
public func raiseDescriptorLimit() {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
  limit.rlim_cur = limit.rlim_max
  _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// Makes the kernel's table of this process's descriptors as large as its limit, 65536 at most, which takes 512 KiB. Call it
/// before there are other threads.
///
/// A table that is full is doubled. In a process with threads this waits until every processor has let go of the old
/// one: 10 to 20 ms on a busy machine, in any call that makes a descriptor.
public func reserveDescriptorTable() {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur > 64 else { return }
  let last = Int32(min(limit.rlim_cur, 65_536)) - 1
  do throws(SystemError) {
    let event = try EventFD()
    let raw = event.fd.raw
    _ = OwnedFD(taking: try check("fcntl(F_DUPFD_CLOEXEC)") { fcntl(raw, F_DUPFD_CLOEXEC, last) })
  } catch {
    // The table grows when it is needed.
  }
}
