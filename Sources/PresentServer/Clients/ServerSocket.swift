import LinuxIO

/// The daemon's socket in the file system: its directory, lock and file, which is removed with this value.
public struct ServerSocket: ~Copyable {
  /// Its path.
  public let path: String
  let listener: UnixSocket
  /// Held as long as the daemon runs; a socket file without a held lock was left by a dead one.
  private let lock: FileLock

  private init(path: String, listener: consuming UnixSocket, lock: consuming FileLock) {
    self.path = path
    self.listener = listener
    self.lock = lock
  }

  deinit { removeFile(path) }

  /// Creates the directory, takes the lock and listens. Connecting clients wait until a server runs.
  ///
  /// - Throws: `.socketTaken` if another daemon uses the path.
  public static func open(_ path: String) throws(ServerError) -> ServerSocket {
    let lock = try acquire(path)
    if let status = LinuxFile.status(path) {
      guard status.kind == .socket else { throw .notASocket(path: path) }
      // The lock was free, so the daemon that left the file is dead.
      removeFile(path)
    }
    do throws(SystemError) {
      let listener = try UnixSocket.listen(path, .seqpacket)
      try listener.fd.setNonblocking()
      return ServerSocket(path: path, listener: listener, lock: lock)
    } catch {
      throw .system(error)
    }
  }

  private static func acquire(_ path: String) throws(ServerError) -> FileLock {
    let outcome: FileLock.Outcome
    do throws(SystemError) {
      if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
        let directory = String(path[..<slash])
        try makeDirectory(directory, mode: isPrivate(directory) ? 0o700 : 0o755)
        if let why = objection(to: directory) { throw SystemError(call: "socket directory", code: 1, subject: why) }
      }
      outcome = try FileLock.acquire(path + ".lock")
    } catch {
      throw .system(error)
    }
    switch consume outcome {
    case .locked(let lock): return lock
    case .held(by: let pid): throw .socketTaken(path: path, pid: pid)
    }
  }

  /// Why the socket may not be in a directory: others could replace it, or put a link in the lock's place.
  private static func objection(to directory: String) -> String? {
    guard let status = LinuxFile.status(directory), status.kind == .directory else { return nil }
    let (isSticky, user) = (status.permissions & 0o1000 != 0, currentUserID())
    if status.uid != 0, status.uid != user { return "\(directory) belongs to user \(status.uid)" }
    // The group of the daemon's user alone is no other.
    let others = status.gid == currentGroupID() ? 0o002 : 0o022
    if !isSticky, status.permissions & UInt32(others) != 0 {
      return "others may write to \(directory) (mode \(String(status.permissions, radix: 8)))"
    }
    return nil
  }

  private static func isPrivate(_ directory: String) -> Bool {
    guard let base = environmentVariable("XDG_RUNTIME_DIR") else { return false }
    return directory == base || directory.hasPrefix(base + "/")
  }
}
