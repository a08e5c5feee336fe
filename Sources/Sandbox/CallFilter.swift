import CSandbox
import CSeccomp
import Glibc
import LinuxIO

/// A seccomp filter under construction: what is not allowed traps.
///
/// libseccomp makes the program for the kernel. Calls are found by a binary tree, and the kernel does not run the program
/// at all for calls that are allowed with any arguments (since Linux 5.11).
@safe struct CallFilter: ~Copyable {
  private let context: scmp_filter_ctx

  /// An empty filter.
  init() throws(SandboxError) {
    guard let context = unsafe seccomp_init(UInt32(SCMP_ACT_TRAP)) else { throw .filter("seccomp_init", code: ENOMEM) }
    unsafe self.context = context
  }

  /// Allows these calls.
  func allow(_ rules: [CallRule]) throws(SandboxError) {
    let attributes: [(scmp_filter_attr, UInt32, String)] = [
      (SCMP_FLTATR_ACT_BADARCH, UInt32(SCMP_ACT_KILL_PROCESS), "BADARCH"),
      // Threads that were started before get the filter too.
      (SCMP_FLTATR_CTL_TSYNC, 1, "TSYNC"),
      (SCMP_FLTATR_CTL_OPTIMIZE, 2, "OPTIMIZE"),
      // Without it, kernels before 5.16 turn off speculative stores for the process, at some percent of its speed.
      (SCMP_FLTATR_CTL_SSB, 1, "SSB"),
    ]
    for (attribute, value, name) in attributes {
      try CallFilter.check(unsafe seccomp_attr_set(context, attribute, value), name)
    }
    for rule in rules { try add(rule) }
    try CallFilter.check(
      unsafe seccomp_rule_add_array(context, UInt32(SCMP_ACT_KILL_PROCESS), csandbox_fatal_call(), 0, nil), "fatal")
  }

  deinit { unsafe seccomp_release(context) }

  private func add(_ rule: CallRule) throws(SandboxError) {
    let number = unsafe seccomp_syscall_resolve_name(rule.name)
    // Unknown to this libseccomp, or not of this architecture.
    if number < 0 { return }
    var action = UInt32(SCMP_ACT_ALLOW)
    var conditions: [scmp_arg_cmp] = []
    switch rule {
    case .allow: break
    case .allowIf(_, let wanted): conditions = wanted.map(\.compiled)
    case .fail(_, let code): action = 0x0005_0000 | UInt32(code)
    }
    try CallFilter.check(
      unsafe seccomp_rule_add_array(context, action, number, UInt32(conditions.count), conditions), rule.name)
  }

  /// Applies it to all threads of the process, for good. Also sets no_new_privs.
  func load() throws(SandboxError) { try CallFilter.check(unsafe seccomp_load(context), "seccomp_load") }

  /// Has violations reported at a descriptor, by name.
  static func reportViolations(at fd: Int32, prefix: String) throws(SandboxError) {
    for number: Int32 in 0..<640 {
      guard let name = unsafe seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number) else { continue }
      unsafe csandbox_name_call(number, name)
      unsafe free(name)
    }
    do throws(SystemError) {
      try LinuxIO.check("sigaction") { unsafe csandbox_report_violations(fd, prefix) }
    } catch { throw .system(error) }
  }

  private static func check(_ result: Int32, _ what: String) throws(SandboxError) {
    if result < 0 { throw .filter(what, code: -result) }
  }
}

extension ArgumentCondition {
  fileprivate var compiled: scmp_arg_cmp {
    switch comparison {
    case .equal(let value): scmp_arg_cmp(arg: argument, op: SCMP_CMP_EQ, datum_a: value, datum_b: 0)
    case .notEqual(let value): scmp_arg_cmp(arg: argument, op: SCMP_CMP_NE, datum_a: value, datum_b: 0)
    case .masked(let mask, let value):
      scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: mask, datum_b: value)
    }
  }
}
