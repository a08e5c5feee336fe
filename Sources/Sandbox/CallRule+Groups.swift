import Glibc

extension CallRule {
  /// Several calls with any arguments.
  static func allow(_ names: [String]) -> [CallRule] { names.map { .allow($0) } }

  /// An `ioctl` by its number, or by the type in its second byte.
  static func ioctl(_ request: UInt64) -> CallRule { .allowIf("ioctl", [ArgumentCondition(1, .equal(request))]) }
  static func ioctl(type: Character) -> CallRule {
    .allowIf("ioctl", [ArgumentCondition(1, .masked(0xFF00, equal: UInt64(type.asciiValue ?? 0) << 8))])
  }

  /// Memory, threads, clocks and what glibc and the Swift runtime do by themselves. No memory becomes executable, and no
  /// process is started.
  static let runtime: [CallRule] =
    allow([
      // Memory
      "munmap", "mremap", "madvise", "brk", "mincore",
      // Threads
      "futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "membarrier", "sched_yield",
      "sched_getaffinity", "sched_getparam", "sched_getscheduler", "set_tid_address",
      // Signals
      "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "rt_sigpending", "rt_sigtimedwait",
      // Clocks
      "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "getrusage",
      "restart_syscall",
      // This process
      "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrandom", "uname", "sysinfo",
      "getrlimit", "exit", "exit_group",
    ]) + [
      .allowIf("mmap", [ArgumentCondition(2, .masked(UInt64(PROT_EXEC), equal: 0))]),
      .allowIf("mprotect", [ArgumentCondition(2, .masked(UInt64(PROT_EXEC), equal: 0))]),
      // glibc takes clone instead, whose flags a filter can see.
      .fail("clone3", code: ENOSYS),
      .allowIf("clone", [ArgumentCondition(0, .masked(cloneThread, equal: cloneThread))]),
      // A process may not hide a violation.
      .allowIf("rt_sigaction", [ArgumentCondition(0, .notEqual(UInt64(SIGSYS)))]),
      // Limits are read, not set.
      .allowIf("prlimit64", [ArgumentCondition(2, .equal(0))]),
      .allowIf("prctl", [ArgumentCondition(0, .equal(15))]),  // PR_SET_NAME
      .allowIf("prctl", [ArgumentCondition(0, .equal(16))]),  // PR_GET_NAME
      .allowIf("prctl", [ArgumentCondition(0, .equal(0x5356_4D41))]),  // PR_SET_VMA: glibc names its memory
      .allowIf("tgkill", [ArgumentCondition(0, .equal(UInt64(getpid())))]),
    ]

  private static let cloneThread: UInt64 = 0x10000

  /// An event loop over open descriptors: no file or socket is opened by name.
  static let descriptors: [CallRule] =
    allow([
      "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close", "fcntl", "dup",
      "fstat", "fstatfs", "fallocate", "ftruncate", "memfd_create",
      "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "epoll_create1", "poll", "ppoll",
      "eventfd2", "signalfd4", "timerfd_create", "timerfd_settime", "timerfd_gettime",
      "timer_create", "timer_settime", "timer_delete",
      "sendmsg", "recvmsg", "sendto", "recvfrom", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
      // The kernel raises eventfds at the end of an asynchronous read of /dev/null.
      "io_setup", "io_submit", "io_getevents", "io_destroy",
      // What kind of file a descriptor is.
      "readlink", "readlinkat",
    ]) + [
      .allowIf("newfstatat", [ArgumentCondition(3, .masked(atEmptyPath, equal: atEmptyPath))]),
      .allowIf("statx", [ArgumentCondition(2, .masked(atEmptyPath, equal: atEmptyPath))]),
      ioctl(0x5401),  // TCGETS: whether standard output is a terminal
      ioctl(0x5411),  // SIOCOUTQ
      ioctl(0x541B),  // FIONREAD
      ioctl(type: "b"),  // DMA_BUF_IOCTL_SYNC
      ioctl(type: "u"),  // UDMABUF_CREATE_LIST
    ]

  private static let atEmptyPath: UInt64 = 0x1000
}
