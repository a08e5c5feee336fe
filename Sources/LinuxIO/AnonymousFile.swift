/// Files that the kernel serves itself: asking one never waits for anybody.
///
/// A descriptor that came from a client may be of a file system of the client's own (FUSE), where even `poll`, `lseek`
/// and `fstat` wait for its answer.
public enum AnonymousFile: Sendable {
  /// `eventfd(2)`.
  case eventFD
  /// A fence: `linux/sync_file.h`.
  case syncFile
  /// Memory that drivers share: `linux/dma-buf.h`.
  case dmaBuf

  /// What `fd` is; nil for anything else. Asks /proc, never the file.
  public init?(of fd: Int32) {
    switch LinuxFile.linkTarget("/proc/self/fd/\(fd)") {
    case "anon_inode:[eventfd]": self = .eventFD
    case "anon_inode:sync_file": self = .syncFile
    default:
      // Its link is a path, which any file system can have; who exported it, only the kernel says.
      guard LinuxFile.text("/proc/self/fdinfo/\(fd)")?.contains("\nexp_name:") == true else { return nil }
      self = .dmaBuf
    }
  }
}
