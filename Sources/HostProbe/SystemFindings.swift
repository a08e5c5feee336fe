public import LinuxIO

/// The state of the daemon at its socket.
public enum DaemonState: Equatable, Sendable {
  /// It runs and has these numbers of outputs and VMs.
  case running(outputs: Int, vms: Int)
  /// There is no socket at the path.
  case absent
  /// There is a socket at the path without a listener.
  case stale
  /// There is a socket at the path, but the request failed.
  case failed(String)
}

/// Findings other than graphics: the kernel, KVM, the runtime directory, the daemon, limits.
public enum SystemFindings {
  /// The kernel's release.
  public static func kernel(_ release: String) -> Finding { Finding(.ok, "kernel", release) }

  /// KVM.
  ///
  /// - Parameter failure: nil if a virtual machine could be created.
  public static func kvm(_ failure: SystemError?, user: String) -> Finding {
    let topic = "/dev/kvm"
    guard let failure else { return Finding(.ok, topic, "a virtual machine could be created") }
    let seen = "KVM does not work here: \(failure.description). Guests run in software, many times slower"
    let noSuchFile: Int32 = 2
    let notPermitted: Int32 = 13
    switch failure.code {
    case noSuchFile where failure.call == "open":
      return Finding(
        .note, topic, seen,
        advice: """
          Turn virtualization on in the firmware and load kvm_intel or kvm_amd; in a VM, allow nested \
          virtualization; in a container, pass /dev/kvm in.
          """)
    case notPermitted:
      return Finding(.note, topic, seen, advice: "sudo usermod -aG kvm \(user), then log in again.")
    default:
      return Finding(.note, topic, seen, advice: "Turn virtualization on in the firmware, or nested virtualization.")
    }
  }

  /// The directory of the daemon's socket.
  ///
  /// - Parameter status: nil if it does not exist.
  public static func runtimeDirectory(_ path: String, status: LinuxFile.Status?, mayWrite: Bool, parentWritable: Bool)
    -> Finding
  {
    let topic = "runtime directory"
    guard let status else {
      if parentWritable { return Finding(.ok, topic, "\(path) does not exist yet; framepathd can create it") }
      return Finding(
        .problem, topic, "\(path) does not exist, and you may not create it",
        advice: "Log in through logind, so that XDG_RUNTIME_DIR is set, or set FRAMEPATH_SOCKET, or use --socket.")
    }
    guard status.kind == .directory else { return Finding(.problem, topic, "\(path) is not a directory") }
    guard mayWrite else {
      return Finding(
        .problem, topic, "\(path) belongs to \(HostProcess.userName(status.uid)), and you may not write there",
        advice: "Run framepathd as that user, or set FRAMEPATH_SOCKET to a path of your own.")
    }
    guard status.permissions & 0o002 == 0 || status.permissions & 0o1000 != 0 else {
      return Finding(
        .problem, topic, "every user may write to \(path), and could replace the daemon's socket",
        advice: "chmod 0700 \(path)")
    }
    return Finding(.ok, topic, path)
  }

  /// The daemon.
  public static func daemon(_ state: DaemonState, socket: String) -> Finding {
    let topic = "framepathd"
    switch state {
    case .running(let outputs, let vms):
      return Finding(.ok, topic, "runs at \(socket): outputs \(outputs), VMs \(vms)")
    case .absent:
      return Finding(.note, topic, "is not running: there is no \(socket)", advice: "framepathd --output auto")
    case .stale:
      return Finding(
        .note, topic, "is not running, but left \(socket) behind",
        advice: "Run framepathd --output auto, which replaces it.")
    case .failed(let why):
      return Finding(
        .problem, topic, "does not answer at \(socket): \(why)", advice: "See what it wrote to its standard error.")
    }
  }

  /// RLIMIT_MEMLOCK.
  ///
  /// - Parameter limitBytes: nil for no limit.
  public static func memoryLock(_ limitBytes: UInt64?) -> Finding {
    let topic = "memlock"
    guard let limitBytes else { return Finding(.ok, topic, "no limit") }
    return Finding(
      .ok, topic,
      "\(limitBytes / 1024) KiB; Framepath locks no memory, QEMU needs more for -overcommit mem-lock=on or VFIO")
  }
}
