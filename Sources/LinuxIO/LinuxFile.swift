import Glibc

/// Small files of the host, including /proc and /sys.
public enum LinuxFile {
  /// The result of `stat`.
  public struct Status: Equatable, Sendable {
    /// The types of files that matter here.
    public enum Kind: Sendable {
      /// A regular file.
      case regular
      /// A directory.
      case directory
      /// A Unix socket.
      case socket
      /// A character device.
      case characterDevice
      /// Anything else.
      case other
    }
    /// The type, after following symbolic links.
    public let kind: Kind
    /// The owner.
    public let uid: UInt32
    /// The group.
    public let gid: UInt32
    /// The permission bits, 0o7777 at most.
    public let permissions: UInt32
    /// Length in bytes.
    public let byteCount: Int

    /// All fields.
    public init(kind: Kind, uid: UInt32, gid: UInt32, permissions: UInt32, byteCount: Int) {
      self.kind = kind
      self.uid = uid
      self.gid = gid
      self.permissions = permissions
      self.byteCount = byteCount
    }
  }

  /// Kinds of access to a path.
  public struct Access: OptionSet, Sendable {
    /// R_OK, W_OK and X_OK.
    public let rawValue: Int32
    /// A set from its bits.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// R_OK.
    public static let read = Access(rawValue: R_OK)
    /// W_OK.
    public static let write = Access(rawValue: W_OK)
    /// X_OK: execute a file, search a directory.
    public static let execute = Access(rawValue: X_OK)
  }

  /// The first `limit` bytes of a file.
  ///
  /// The corresponding C functions are `open` and `read`. A file that reports no size is read too.
  public static func read(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
    let fd = try OwnedFD.open(path, flags: O_RDONLY)
    let raw = fd.raw
    var bytes: [UInt8] = []
    while bytes.count < limit {
      let room = min(limit - bytes.count, 65_536)
      var code: Int32 = 0
      let chunk = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
        let count = unsafe Glibc.read(raw, buffer.baseAddress, room)
        if count < 0 { code = errno }
        filled = max(count, 0)
      }
      if code == EINTR { continue }
      if code != 0 { throw SystemError(call: "read", code: code, subject: path) }
      if chunk.isEmpty { break }
      bytes += chunk
    }
    return bytes
  }

  /// A file's text without leading and trailing blanks; nil if it cannot be read.
  public static func text(_ path: String) -> String? {
    guard let bytes = try? read(path) else { return nil }
    let isBlank = { (byte: UInt8) in byte <= 0x20 }
    let start = bytes.firstIndex { !isBlank($0) } ?? bytes.endIndex
    let end = (bytes.lastIndex { !isBlank($0) }).map { $0 + 1 } ?? start
    return String(decoding: bytes[start..<max(start, end)], as: UTF8.self)
  }

  /// The names in a directory, sorted, without `.` and `..`.
  ///
  /// The corresponding C functions are `opendir` and `readdir`.
  public static func list(_ directory: String) throws(SystemError) -> [String] {
    guard let stream = unsafe opendir(directory) else {
      throw SystemError(call: "opendir", code: errno, subject: directory)
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The path without links; nil if it does not exist.
  ///
  /// The corresponding C function is `realpath`.
  public static func resolved(_ path: String) -> String? {
    guard let text = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(text) }
    return unsafe String(cString: text)
  }

  /// The target of a symbolic link; nil if there is no link.
  ///
  /// The corresponding C function is `readlink`.
  public static func linkTarget(_ path: String) -> String? {
    var count = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, filled in
      guard let base = buffer.baseAddress else { return }
      count = unsafe base.withMemoryRebound(to: CChar.self, capacity: buffer.count) {
        unsafe readlink(path, $0, buffer.count)
      }
      filled = max(count, 0)
    }
    return count < 0 ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// The status of the file at `path`, following symbolic links; nil if there is none.
  ///
  /// The corresponding C function is `stat`.
  public static func status(_ path: String) -> Status? {
    var info = stat()
    guard unsafe stat(path, &info) == 0 else { return nil }
    let kind: Status.Kind
    switch info.st_mode & S_IFMT {
    case S_IFREG: kind = .regular
    case S_IFDIR: kind = .directory
    case S_IFSOCK: kind = .socket
    case S_IFCHR: kind = .characterDevice
    default: kind = .other
    }
    return Status(
      kind: kind, uid: info.st_uid, gid: info.st_gid, permissions: info.st_mode & 0o7777, byteCount: Int(info.st_size))
  }

  /// Whether this process has all of `access`.
  ///
  /// The corresponding C function is `access`.
  public static func isAccessible(_ path: String, _ access: Access) -> Bool {
    unsafe Glibc.access(path, access.rawValue) == 0
  }
}
