#if FRAMEPATH_TEST_HOOKS
  import CSandbox
  import LinuxIO

  /// Makes a running program leave its sandbox, so that a test sees what becomes of it. Release builds do not contain it.
  enum TestHook {
    /// open, connect or exec: what the process does at SIGPROF. Without the variable, the signal does what it always does.
    static let variable = "FRAMEPATH_TEST_VIOLATION"

    static func install() throws(SandboxError) {
      guard let what = environmentVariable(variable) else { return }
      do throws(SystemError) {
        try check("sigaction(SIGPROF)", what) { unsafe csandbox_violate_at_signal(what) }
      } catch { throw .system(error) }
    }
  }
#endif
