import CSandbox
import LinuxIO

/// The restrictions that a process puts on itself, for good.
///
/// In two parts, because Landlock and capabilities belong to threads and come before any thread is started, while a
/// filter holds for all threads and comes when everything is open.
public enum Sandbox {
  /// What the kernel could not do.
  public struct Result: Equatable, Sendable {
    /// The version of Landlock that was applied; 0 without it.
    public var landlockVersion: Int
    /// What a kernel without a part of Landlock does not restrict, for the log; nil if nothing is missing.
    public var shortcoming: String? {
      switch landlockVersion {
      case 0: "this kernel has no Landlock: files are protected by the system call filter alone"
      case ..<4: "this kernel's Landlock \(landlockVersion) does not restrict the network (Linux 6.7)"
      default: nil
      }
    }
  }

  /// Gives up capabilities, new privileges, core files, and access to all files that the policy does not name.
  ///
  /// Call it on the first thread, before others are started and before memory of others is mapped: it also turns off the
  /// Swift runtime's handler of crashes, which starts a program. The corresponding calls are `prctl`, `capset`, `setrlimit`
  /// and `landlock_restrict_self`.
  public static func giveUpRights(_ policy: SandboxPolicy) throws(SandboxError) -> Result {
    do throws(SystemError) {
      try check("sigaction") { csandbox_end_at_faults() }
      try check("prctl(PR_SET_NO_NEW_PRIVS)") { csandbox_no_new_privileges() }
      let version = try Landlock.restrict(to: policy.files, isolatesSignals: policy.isolatesSignals)
      try check("capset") { csandbox_keep_capabilities(Capability.bits(policy.capabilities)) }
      try check("setrlimit") { csandbox_no_core_files(policy.isInspectable ? 0 : 1) }
      return Result(landlockVersion: version)
    } catch { throw .system(error) }
  }

  /// Ends the process at any system call that the policy does not allow, on any thread. The call is not made.
  ///
  /// The violation is reported as one line, `prefix` with the call's name and number; then SIGSYS ends the process.
  /// - Parameters:
  ///   - fd: where the line is written; must stay open.
  ///   - prefix: at most 95 bytes.
  public static func filterCalls(_ policy: SandboxPolicy, reportTo fd: Int32, prefix: String) throws(SandboxError) {
    try CallFilter.reportViolations(at: fd, prefix: prefix)
    let filter = try CallFilter()
    try filter.allow(policy.calls)
    #if FRAMEPATH_TEST_HOOKS
      try TestHook.install()
    #endif
    try filter.load()
  }
}
