/// A QEMU binary and its capabilities.
public struct QEMUFacts: Equatable, Sendable {
  /// The binary's path.
  public let path: String
  /// The capabilities, or why they are unknown.
  public let answer: Result<QEMUCapabilities, HostProbeError>

  /// A binary and its answer.
  public init(path: String, answer: Result<QEMUCapabilities, HostProbeError>) {
    self.path = path
    self.answer = answer
  }

  /// All binaries of this host; each is run.
  public static func gather() -> [QEMUFacts] {
    QEMUBinary.installed().map { path in
      do throws(HostProbeError) {
        return QEMUFacts(path: path, answer: .success(try QEMUBinary.capabilities(path)))
      } catch {
        return QEMUFacts(path: path, answer: .failure(error))
      }
    }
  }

  /// The findings on all binaries.
  ///
  /// - Parameter kvm: nil if KVM works, else the reason.
  public static func findings(_ binaries: [QEMUFacts], kvm: String?) -> [Finding] {
    guard !binaries.isEmpty else {
      return [
        Finding(
          .problem, "QEMU", "no qemu-system-* in PATH",
          advice:
            "Install it (Debian and Ubuntu: apt install qemu-system-x86). 10.2 and newer have the complete device.")
      ]
    }
    var findings = binaries.map { $0.finding(kvm: kvm) }
    // One good QEMU is enough: the faults of others become notes.
    if findings.contains(where: { $0.severity == .ok }) {
      findings = findings.map { finding in
        finding.severity == .problem
          ? Finding(.note, finding.topic, finding.seen, advice: finding.advice) : finding
      }
    }
    return findings + limits(binaries)
  }

  /// The limits of the devices that these QEMUs offer.
  private static func limits(_ binaries: [QEMUFacts]) -> [Finding] {
    let offered = binaries.compactMap { try? $0.answer.get() }
    let shapes = DeviceShape.allCases.filter { shape in
      offered.contains { shape == .complete ? $0.genericDevice != nil : $0.hasVhostUserGPU }
    }
    return shapes.map { Finding(.ok, $0 == .complete ? "complete" : $0.rawValue, $0.limits) }
  }

  private func finding(kvm: String?) -> Finding {
    let topic = path.split(separator: "/").last.map(String.init) ?? path
    switch answer {
    case .failure(let error): return Finding(.problem, topic, error.description)
    case .success(let capabilities):
      let seen = "\(path) \(capabilities.version): \(capabilities.summary)"
      switch capabilities.bestShape {
      case .complete: return Finding(.ok, topic, seen)
      case .vhostUserGPU where capabilities.vhostUserGPUNeedsKVM && kvm != nil:
        return Finding(
          .problem, topic, "\(seen), and KVM does not work here",
          advice: "Use QEMU 8.0 or newer (Debian 12: bookworm-backports), or make KVM work.")
      case .vhostUserGPU:
        return Finding(.ok, topic, seen)
      case nil:
        return Finding(.problem, topic, seen, advice: "Use a QEMU that was built with vhost-user.")
      }
    }
  }
}
