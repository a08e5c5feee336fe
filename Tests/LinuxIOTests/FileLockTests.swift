import Glibc
import LinuxIO
import Testing

@Suite("Lock files")
struct FileLockTests {
  @Test func `a link in the place of a lock file is not followed, and its target stays as it is`() throws {
    let folder = try TemporaryFolder()
    let (target, lock) = ("\(folder.path)/target", "\(folder.path)/lock")
    let file = try OwnedFD.open(target, flags: O_RDWR | O_CREAT)
    try #require(write(file.raw, "content", 7) == 7)
    try #require(symlink(target, lock) == 0)
    let error = #expect(throws: SystemError.self) { _ = try FileLock.acquire(lock) }
    #expect(error?.code == ELOOP)
    #expect(LinuxFile.text(target) == "content")
  }

  @Test func `a lock file that is not a regular file is refused without waiting`() throws {
    let folder = try TemporaryFolder()
    let lock = "\(folder.path)/lock"
    try #require(mkfifo(lock, 0o600) == 0)
    #expect(throws: SystemError.self) { _ = try FileLock.acquire(lock) }
  }

  @Test func `a lock is held once`() throws {
    let folder = try TemporaryFolder()
    let lock = "\(folder.path)/lock"
    guard case .locked(let held) = try FileLock.acquire(lock) else {
      Issue.record("not locked")
      return
    }
    guard case .held(by: let pid) = try FileLock.acquire(lock) else {
      Issue.record("locked twice")
      return
    }
    #expect(pid == getpid())
    _ = held
  }

  @Test func `a socket file has the wanted mode, whatever the umask`() throws {
    let folder = try TemporaryFolder()
    for mode: UInt32 in [0o600, 0o660, 0o666] {
      let path = "\(folder.path)/\(mode)"
      _ = try UnixSocket.listen(path, .seqpacket, mode: mode)
      #expect(LinuxFile.status(path)?.permissions == mode)
    }
  }
}
