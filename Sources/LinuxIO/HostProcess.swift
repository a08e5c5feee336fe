import Glibc

/// Properties of this process and its host.
public enum HostProcess {
  /// The user's name, or the number without one.
  ///
  /// The corresponding C function is `getpwuid`, which is not thread-safe.
  public static func userName(_ uid: UInt32) -> String {
    guard let entry = unsafe getpwuid(uid), let name = unsafe entry.pointee.pw_name else { return "\(uid)" }
    return unsafe String(cString: name)
  }

  /// The group's name, or the number without one.
  ///
  /// The corresponding C function is `getgrgid`, which is not thread-safe.
  public static func groupName(_ gid: UInt32) -> String {
    guard let entry = unsafe getgrgid(gid), let name = unsafe entry.pointee.gr_name else { return "\(gid)" }
    return unsafe String(cString: name)
  }

  /// The number of bytes that this process may lock in memory; nil without a limit.
  ///
  /// The corresponding C function is `getrlimit(RLIMIT_MEMLOCK)`.
  public static var memoryLockLimitBytes: UInt64? {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else { return nil }
    return limit.rlim_cur == UInt64.max ? nil : UInt64(limit.rlim_cur)
  }

  /// Whether standard output is a terminal.
  public static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// The width of the terminal on standard output; nil if it is not a terminal.
  ///
  /// The corresponding C function is `ioctl(TIOCGWINSZ)`.
  public static var terminalColumns: Int? {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Blocks this thread.
  ///
  /// The corresponding C function is `usleep`.
  public static func sleep(milliseconds: UInt32) { usleep(milliseconds * 1000) }

  /// The kernel's release, such as `6.12.0-amd64`.
  public static var kernelRelease: String { LinuxFile.text("/proc/sys/kernel/osrelease") ?? "unknown" }

  /// The machine's architecture as QEMU names it, such as `x86_64`.
  public static var architecture: String {
    #if arch(x86_64)
      "x86_64"
    #elseif arch(arm64)
      "aarch64"
    #elseif arch(i386)
      "i386"
    #else
      "unknown"
    #endif
  }
}

/// KVM, the kernel's virtual machines.
public enum KVM {
  /// Creates an empty virtual machine and closes it: only that proves that KVM works.
  ///
  /// The corresponding C functions are `open` and `ioctl` with KVM_GET_API_VERSION and KVM_CREATE_VM.
  public static func tryOut(_ path: String = "/dev/kvm") throws(SystemError) {
    let getAPIVersion: UInt = 0xAE00
    let createVM: UInt = 0xAE01
    let device = try OwnedFD.open(path, flags: O_RDWR)
    let raw = device.raw
    let version = try check("ioctl(KVM_GET_API_VERSION)", path) { ioctl(raw, getAPIVersion, 0) }
    guard version == 12 else { throw SystemError(call: "KVM API version \(version)", code: ENOTSUP, subject: path) }
    _ = OwnedFD(taking: try check("ioctl(KVM_CREATE_VM)", path) { ioctl(raw, createVM, 0) })
  }
}
