import LinuxIO
import Sandbox

/// The kernel's parts of the sandbox, and running processes without theirs.
public struct SandboxFacts: Equatable, Sendable {
  /// Whether the kernel filters system calls.
  public var hasFilters: Bool
  /// The version of Landlock; 0 without it.
  public var landlockVersion: Int
  /// Processes that run with `--sandbox off`: program and process id.
  public var unprotected: [String]

  /// Facts.
  public init(hasFilters: Bool, landlockVersion: Int, unprotected: [String]) {
    self.hasFilters = hasFilters
    self.landlockVersion = landlockVersion
    self.unprotected = unprotected
  }

  /// Reads the facts.
  ///
  /// - Parameter root: the directory of `proc`; empty for the host's own.
  public static func gather(root: String = "") -> SandboxFacts {
    SandboxFacts(
      hasFilters: LinuxFile.text("\(root)/proc/sys/kernel/seccomp/actions_avail")?.contains("trap") == true,
      landlockVersion: Landlock.version, unprotected: unprotected(root))
  }

  /// Daemons and workers without a filter. A launcher and a daemon's assistant have none by design.
  private static func unprotected(_ root: String) -> [String] {
    let processes = ((try? LinuxFile.list("\(root)/proc")) ?? []).compactMap { Int32($0) }.sorted()
    return processes.compactMap { process in
      let bytes = (try? LinuxFile.read("\(root)/proc/\(process)/cmdline")) ?? []
      let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      guard let program = words.first?.split(separator: "/").last else { return nil }
      switch program {
      case "framepathd": if words.contains("--assistant") { return nil }
      case "framepath-vhost-user-gpu", "framepath-ivshmem": if !words.contains("--worker") { return nil }
      default: return nil
      }
      let isFiltered = LinuxFile.text("\(root)/proc/\(process)/status")?.contains("\nSeccomp:\t2") == true
      return isFiltered ? nil : "\(program) (process \(process))"
    }
  }

  /// What to say about them.
  public var findings: [Finding] {
    let topic = "sandbox"
    var findings: [Finding] = []
    if !hasFilters {
      findings.append(
        Finding(
          .problem, topic, "this kernel does not filter system calls: Framepath's programs do not start",
          advice: "Use a kernel with CONFIG_SECCOMP_FILTER, or --sandbox off."))
    } else if landlockVersion == 0 {
      findings.append(
        Finding(
          .note, topic, "system calls are filtered; this kernel has no Landlock, or it is not turned on",
          advice: "Add landlock to the kernel's parameter lsm=; it is in Linux 5.13 and later."))
    } else {
      findings.append(Finding(.ok, topic, "system calls are filtered, files by Landlock \(landlockVersion)"))
    }
    if !unprotected.isEmpty {
      findings.append(
        Finding(
          .note, topic, "without a sandbox: \(unprotected.joined(separator: ", "))",
          advice: "Start them without --sandbox off: guests and clients may be hostile."))
    }
    return findings
  }
}
