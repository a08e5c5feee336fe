import CSandbox
import Glibc
import LinuxIO

/// Paths that a process may still use.
public struct FileAccess: Equatable, Sendable {
  /// What is allowed below a path.
  public struct Kinds: OptionSet, Sendable {
    /// The LANDLOCK_ACCESS_FS_* bits of linux/landlock.h.
    public let rawValue: UInt64
    /// A set from its bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Files may be read.
    public static let readFiles = Kinds(rawValue: 1 << 2)
    /// Files may be written and truncated.
    public static let writeFiles = Kinds(rawValue: 1 << 1 | 1 << 14)
    /// Directories may be listed.
    public static let list = Kinds(rawValue: 1 << 3)
    /// Files and sockets may be removed.
    public static let remove = Kinds(rawValue: 1 << 5)
    /// Devices may be controlled: ioctl.
    public static let control = Kinds(rawValue: 1 << 15)
    /// Files may be read and directories listed.
    public static let read: Kinds = [.readFiles, .list]
    /// Devices may be used.
    public static let devices: Kinds = [.read, .writeFiles, .control]
  }

  /// A file, or a directory with all that is below. One that does not exist is left out.
  public var path: String
  /// What is allowed there.
  public var kinds: Kinds

  /// Access to what is below `path`.
  public init(_ path: String, _ kinds: Kinds) {
    self.path = path
    self.kinds = kinds
  }
}

/// The kernel's Landlock: a process forbids itself access to files and to the network.
public enum Landlock {
  /// The version of the interface; 0 without one.
  ///
  /// The corresponding system call is `landlock_create_ruleset`.
  public static var version: Int { max(0, Int(csandbox_landlock_version())) }

  /// The kinds of access of that version: all are forbidden if not allowed.
  private static func files(_ version: Int) -> UInt64 {
    let bitCount = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13
    return (1 << bitCount) - 1
  }

  /// Restricts the calling thread and those that it starts.
  ///
  /// The corresponding system calls are `landlock_create_ruleset`, `landlock_add_rule` and `landlock_restrict_self`.
  /// - Parameters:
  ///   - isolatesSignals: no signals to, and no abstract sockets of, processes outside (Linux 6.12).
  /// - Returns: the version that was applied; 0 without Landlock: nothing was restricted.
  static func restrict(to allowed: [FileAccess], isolatesSignals: Bool) throws(SystemError) -> Int {
    let version = version
    guard version > 0 else { return 0 }
    let handled = files(version)
    let ruleset = OwnedFD(
      taking: try check("landlock_create_ruleset") {
        csandbox_landlock_ruleset(
          Int32(version), handled, version >= 4 ? 0b11 : 0, version >= 6 && isolatesSignals ? 0b11 : 0)
      })
    for access in allowed {
      guard let parent = try? OwnedFD.open(access.path, flags: Landlock.path) else { continue }
      var kinds = access.kinds.rawValue & handled
      if LinuxFile.status(access.path)?.kind != .directory { kinds &= Landlock.fileKinds }
      let (rules, place) = (ruleset.raw, parent.raw)
      try check("landlock_add_rule", access.path) { csandbox_landlock_allow(rules, place, kinds) }
    }
    let rules = ruleset.raw
    try check("landlock_restrict_self") { csandbox_landlock_restrict(rules) }
    return version
  }

  /// O_PATH, which glibc shows only to C.
  private static let path: Int32 = 0o10_000_000

  /// The kinds that a rule for a single file can have: EXECUTE, WRITE_FILE, READ_FILE, TRUNCATE and IOCTL_DEV.
  private static let fileKinds: UInt64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
}
