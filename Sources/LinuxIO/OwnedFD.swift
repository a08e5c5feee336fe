public import Glibc

/// A file descriptor with one owner, closed once.
public struct OwnedFD: ~Copyable, Sendable {
  /// The descriptor's number; valid only while this value lives.
  public private(set) var raw: Int32
  /// Counts and closes a descriptor that another process made; nil: it is closed by this thread.
  private var account: DescriptorAccount?
  /// Whether closing it cannot wait for others.
  private var isLocal = false
  /// Whether it is a connection, whose peer is to read what was sent even if this side has not read everything.
  private var isConnection = false

  /// Takes over `raw`; this value closes it.
  public init(taking raw: Int32) {
    precondition(raw >= 0, "a descriptor cannot be negative")
    self.raw = raw
  }

  /// Takes over a descriptor that another process made; the account closes it.
  public init(taking raw: Int32, of account: DescriptorAccount?) {
    self.init(taking: raw)
    account?.took(1)
    self.account = account
  }

  deinit {
    guard raw >= 0 else { return }
    if let account { account.close(raw, isLocal: isLocal, isConnection: isConnection) } else { close(raw) }
  }

  /// Gives up the descriptor: the caller closes it.
  public consuming func release() -> Int32 {
    let number = raw
    account?.took(-1)
    account = nil
    raw = -1
    return number
  }

  /// The same descriptor, counted and closed by an account.
  public consuming func owned(by account: DescriptorAccount) -> OwnedFD { OwnedFD(taking: release(), of: account) }

  /// The same connected socket, counted and closed by an account.
  consuming func connection(of account: DescriptorAccount) -> OwnedFD {
    var fd = owned(by: account)
    fd.isConnection = true
    return fd
  }

  /// What kind of file it is, if it is one that the kernel implements itself; nil otherwise. Makes no call on the file.
  public mutating func identify() -> AnonymousFile? {
    let kind = AnonymousFile(of: raw)
    if let kind { isLocal = kind != .dmaBuf }
    return kind
  }

  /// A second descriptor of the same open file, close-on-exec.
  ///
  /// The corresponding C function is `fcntl(F_DUPFD_CLOEXEC)`.
  public borrowing func duplicate() throws(SystemError) -> OwnedFD {
    let number = raw
    return OwnedFD(taking: try check("fcntl(F_DUPFD_CLOEXEC)") { fcntl(number, F_DUPFD_CLOEXEC, 0) }, of: account)
  }

  /// Opens a file, close-on-exec.
  ///
  /// The corresponding C function is `open`.
  /// - Parameter flags: `O_RDWR` and the like.
  public static func open(_ path: String, flags: Int32, mode: mode_t = 0o600) throws(SystemError) -> OwnedFD {
    OwnedFD(taking: try check("open", path) { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) })
  }

  /// Adds `O_NONBLOCK`; the other status flags stay.
  public borrowing func setNonblocking() throws(SystemError) {
    let number = raw
    let flags = try check("fcntl(F_GETFL)") { fcntl(number, F_GETFL) }
    try check("fcntl(F_SETFL)") { fcntl(number, F_SETFL, flags | O_NONBLOCK) }
  }

  /// Sets `FD_CLOEXEC`, so that programs started by this process do not inherit the descriptor.
  public borrowing func setCloseOnExec() throws(SystemError) {
    let number = raw
    try check("fcntl(F_SETFD)", "descriptor \(number)") { fcntl(number, F_SETFD, FD_CLOEXEC) }
  }

  /// The file's size in bytes.
  ///
  /// The corresponding C function is `lseek(SEEK_END)`, which works on memfds and dma-bufs.
  public borrowing func byteCount() throws(SystemError) -> Int {
    let number = raw
    return try check("lseek") { lseek(number, 0, SEEK_END) }
  }
}

/// A descriptor with several owners; closed with the last of them.
public final class SharedFD: Sendable {
  private let owned: OwnedFD

  /// Takes over a descriptor.
  public init(_ fd: consuming OwnedFD) { owned = fd }

  /// The descriptor's number; valid while this object lives.
  public var raw: Int32 { owned.raw }

  /// A second descriptor of the same open file.
  public func duplicate() throws(SystemError) -> OwnedFD { try owned.duplicate() }

  /// The file's size in bytes.
  public func byteCount() throws(SystemError) -> Int { try owned.byteCount() }
}
