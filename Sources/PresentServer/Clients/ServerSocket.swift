public import LinuxIO

/// Who may connect to a socket.
public struct SocketAccess: Equatable, Sendable {
  /// The permissions of the socket's file, such as 0o660; without the right to write nobody can connect.
  public var mode: UInt32
  /// The group of the socket's file; nil: that of the daemon's process.
  public var groupID: UInt32?

  /// By default only the daemon's user.
  public init(mode: UInt32 = 0o600, groupID: UInt32? = nil) {
    self.mode = mode
    self.groupID = groupID
  }

  /// Changes who may connect to the socket at `path` from now on.
  ///
  /// The corresponding C functions are `chmod` and `lchown`.
  public func apply(to path: String) throws(SystemError) {
    // The group comes between two modes: the new mode never holds for the old group.
    if LinuxFile.status(path)?.permissions != mode & 0o700 { try LinuxFile.setMode(of: path, to: mode & 0o700) }
    try LinuxFile.setGroup(of: path, to: groupID ?? currentGroupID())
    try LinuxFile.setMode(of: path, to: mode)
  }
}

/// One of the daemon's sockets in the file system: its directory, lock and file, which is removed with this value.
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
  public static func open(_ path: String, _ access: SocketAccess = SocketAccess()) throws(ServerError) -> ServerSocket {
    let lock = try acquire(path)
    if let status = LinuxFile.status(path) {
      guard status.kind == .socket else { throw .notASocket(path: path) }
      // The lock was free, so the daemon that left the file is dead.
      removeFile(path)
    }
    do throws(SystemError) {
      // The group comes before the mode, which would else hold for the process's group for a moment.
      let listener = try UnixSocket.listen(path, .seqpacket, mode: access.mode & 0o700)
      try listener.fd.setNonblocking()
      let socket = ServerSocket(path: path, listener: listener, lock: lock)
      try access.apply(to: path)
      return socket
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
