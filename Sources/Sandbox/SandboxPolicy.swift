/// What a process may still do after its start.
public struct SandboxPolicy: Equatable, Sendable {
  /// The system calls; others end the process.
  public var calls: [CallRule]
  /// The paths, where the kernel has Landlock.
  public var files: [FileAccess] = []
  /// The capabilities, of those that the process has.
  public var capabilities: Set<Capability> = []
  /// Whether other processes of the same user may look into this one: /proc/PID/fd, ptrace.
  public var isInspectable = false
  /// Whether signals to other processes, and their abstract sockets, are forbidden (Linux 6.12).
  public var isolatesSignals = true

  /// A policy with these calls.
  public init(calls: [CallRule]) { self.calls = calls }

  /// A VM's worker, which parses what its guest says: open descriptors only. The launcher opens whatever is needed later.
  public static let worker = SandboxPolicy(calls: CallRule.runtime + CallRule.descriptors)

  /// A worker that accepts connections at a socket that it has inherited.
  public static let server = SandboxPolicy(calls: worker.calls + [.allow("accept4")])
}
