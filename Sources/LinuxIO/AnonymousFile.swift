/// Files that the kernel implements itself, so that a call on them never waits for another process.
///
/// A descriptor of a client may belong to a file system of the client (FUSE), where even `poll`, `lseek` and `fstat`
/// wait for its answer.
public enum AnonymousFile: Sendable {
  /// `eventfd(2)`.
  case eventFD
  /// A fence: `linux/sync_file.h`.
  case syncFile
  /// A synchronisation object of a DRM driver: `drm_syncobj`.
  case syncObject
  /// A dma-buf: `linux/dma-buf.h`.
  case dmaBuf

  /// The type of `fd`, or nil. Reads /proc, and makes no call on the file.
  public init?(of fd: Int32) {
    switch LinuxFile.linkTarget("/proc/self/fd/\(fd)") {
    case "anon_inode:[eventfd]": self = .eventFD
    case "anon_inode:sync_file": self = .syncFile
    case "anon_inode:syncobj_file": self = .syncObject
    default:
      // The link is a path that any file system can have; only the kernel's fdinfo identifies a dma-buf.
      guard LinuxFile.text("/proc/self/fdinfo/\(fd)")?.contains("\nexp_name:") == true else { return nil }
      self = .dmaBuf
    }
  }
}
