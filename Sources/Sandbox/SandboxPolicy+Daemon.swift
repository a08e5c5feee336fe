import Glibc
import LinuxIO

extension SandboxPolicy {
  /// The daemon, once its sockets are open. Cards, their connectors and what the kernel says about them can still be
  /// opened; programs cannot be started, and modes and owners of files not be changed.
  ///
  /// - Parameters:
  ///   - directories: those of its sockets, which it removes at its end.
  ///   - hasCards: whether it drives cards, or may later. Then it keeps CAP_SYS_ADMIN, if it has it.
  ///   - hasSeat: whether the console and input devices are its own. Then it keeps CAP_SYS_TTY_CONFIG, if it has it.
  public static func daemon(directories: [String], hasCards: Bool, hasSeat: Bool) -> SandboxPolicy {
    var policy = SandboxPolicy(calls: CallRule.runtime + CallRule.descriptors + daemonCalls)
    policy.files =
      [
        FileAccess("/proc", .read), FileAccess("/sys", .read), FileAccess("/run/udev", .read),
        FileAccess("/dev/null", [.readFiles, .writeFiles]),
        FileAccess("/dev/dri", .devices), FileAccess("/dev/udmabuf", .devices),
      ] + directories.map { FileAccess($0, .remove) }
    if hasSeat {
      policy.files.append(FileAccess("/dev/input", .devices))
      policy.capabilities.insert(.terminals)
      policy.calls += [CallRule.ioctl(type: "K"), CallRule.ioctl(type: "V"), CallRule.ioctl(type: "E")]
    }
    if hasCards { policy.capabilities.insert(.systemAdministration) }
    // They come with the first card, keyboard and the module, which may be later; Landlock knows files that exist.
    let late = (hasCards ? ["/dev/dri", "/dev/udmabuf"] : []) + (hasSeat ? ["/dev/input"] : [])
    if late.contains(where: { LinuxFile.status($0) == nil }) { policy.files.append(FileAccess("/dev", .devices)) }
    policy.isInspectable = true
    // The service manager's socket may be abstract.
    policy.isolatesSignals = false
    return policy
  }

  /// Files by name, within what Landlock leaves; devices; the service manager's socket and the kernel's events.
  private static let daemonCalls: [CallRule] =
    CallRule.allow([
      "accept4", "open", "openat", "getdents64", "newfstatat", "stat", "lstat", "statx", "statfs", "access",
      "faccessat",
      "faccessat2", "unlink", "unlinkat", "getcwd", "flock",
    ]) + [
      .allowIf("socket", [ArgumentCondition(0, .equal(UInt64(AF_UNIX)))]),
      .allowIf("socket", [ArgumentCondition(0, .equal(UInt64(AF_NETLINK)))]),
      // Of a netlink socket, since no other is there to bind: Landlock keeps socket files from being made.
      .allow("bind"),
      CallRule.ioctl(type: "d"),  // DRM
      CallRule.ioctl(type: ">"),  // sync files
    ]
}
