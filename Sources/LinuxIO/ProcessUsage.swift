import CLinux
import Glibc

/// Resources that this process uses.
public struct ProcessUsage: Equatable, Sendable {
  /// CPU time of all threads, user and system.
  public var cpuNanoseconds: UInt64
  /// Resident memory, including shared pages; nil if /proc cannot be read.
  public var residentBytes: Int?
  /// Open descriptors; nil if /proc cannot be read, and before Linux 6.2.
  public var openDescriptors: Int?
  /// The soft limit of open descriptors; nil if there is none.
  public var descriptorLimit: Int?

  /// The usage now.
  ///
  /// The corresponding C functions are `clock_gettime(CLOCK_PROCESS_CPUTIME_ID)` and `getrlimit(RLIMIT_NOFILE)`.
  public static func current() -> ProcessUsage {
    var cpu = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu)
    var usage = ProcessUsage(cpuNanoseconds: nanoseconds(cpu))
    // The second number is the resident pages.
    if let words = LinuxFile.text("/proc/self/statm")?.split(separator: " "), words.count > 1,
      let pages = Int(words[1])
    {
      usage.residentBytes = Int(clamping: pages.multipliedFullWidth(by: sysconf(Int32(_SC_PAGESIZE))).low)
    }
    // The size of this directory is the number of descriptors; 0 in older kernels.
    var info = stat()
    if unsafe stat("/proc/self/fd", &info) == 0, info.st_size > 0 { usage.openDescriptors = Int(info.st_size) }
    var limit = rlimit()
    if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max {
      usage.descriptorLimit = Int(clamping: limit.rlim_cur)
    }
    return usage
  }
}

/// Nanoseconds of CLOCK_REALTIME since 1970.
///
/// The corresponding C function is `clock_gettime`.
public func realtimeNanoseconds() -> UInt64 {
  var now = timespec()
  unsafe clock_gettime(CLOCK_REALTIME, &now)
  return nanoseconds(now)
}

private func nanoseconds(_ time: timespec) -> UInt64 {
  UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)
}
