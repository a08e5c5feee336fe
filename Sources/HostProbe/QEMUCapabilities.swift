/// The two ways in which a VM's screen reaches the backend.
public enum DeviceShape: String, CaseIterable, Sendable {
  /// QEMU's generic vhost-user device as a virtio-gpu that is wholly the backend's: guest blobs, fenced flushes.
  case complete
  /// QEMU's own vhost-user-gpu, which offers the guest no blobs.
  case vhostUserGPU = "vhost-user-gpu"
}

/// What a QEMU binary has of what Framepath needs.
public struct QEMUCapabilities: Equatable, Sendable {
  /// The release.
  public let version: QEMUVersion
  /// The generic vhost-user PCI device by its name in this release, where users may create one; else nil.
  public let genericDevice: String?
  /// Whether `vhost-user-gpu-pci` is there.
  public let hasVhostUserGPU: Bool
  /// Which of `ivshmem-doorbell` and `ivshmem-plain` are there.
  public let ivshmemDevices: Set<String>

  /// The generic device's names, newest first: 8.2 had the second one, 10.2 renamed it.
  static let genericNames = ["vhost-user-test-device-pci", "vhost-user-device-pci"]
  /// What the generic device must let itself be told.
  static let neededProperties: Set<String> = ["chardev", "virtio-id", "num_vqs", "config_size"]

  /// From known values.
  public init(
    version: QEMUVersion, genericDevice: String?, hasVhostUserGPU: Bool, ivshmemDevices: Set<String> = []
  ) {
    self.ivshmemDevices = ivshmemDevices
    self.version = version
    self.genericDevice = genericDevice
    self.hasVhostUserGPU = hasVhostUserGPU
  }

  /// From what the binary says of itself.
  ///
  /// - Parameters:
  ///   - deviceHelp: of `-device help`, which lists only what users may create.
  ///   - propertyHelp: of `-device NAME,help`. QEMU 9.0 to 10.1 answer for a device that nobody may create, so this
  ///     alone says nothing.
  public init(version: QEMUVersion, deviceHelp: String, propertyHelp: (String) -> String) {
    let devices = QEMUCapabilities.deviceNames(deviceHelp)
    self.version = version
    hasVhostUserGPU = devices.contains("vhost-user-gpu-pci")
    ivshmemDevices = devices.intersection(["ivshmem-doorbell", "ivshmem-plain"])
    genericDevice = QEMUCapabilities.genericNames.first { name in
      devices.contains(name)
        && QEMUCapabilities.neededProperties.isSubset(of: QEMUCapabilities.propertyNames(propertyHelp(name)))
    }
  }

  /// The best shape that this QEMU has, or nil.
  public var bestShape: DeviceShape? {
    if genericDevice != nil { return .complete }
    return hasVhostUserGPU ? .vhostUserGPU : nil
  }

  /// Whether vhost-user-gpu works under KVM only ("vhost initialization failed: requires kvm").
  public var vhostUserGPUNeedsKVM: Bool { version < QEMUVersion(8, 0) }

  /// What a guest gets, in a few words: copies, tearing, what it can do.
  public var summary: String {
    switch bestShape {
    case .complete: "complete device (\(genericDevice ?? "")): guest blobs, paced by the monitor, live mode changes"
    case .vhostUserGPU where vhostUserGPUNeedsKVM: "vhost-user-gpu under KVM only: 1 copy, no tearing"
    case .vhostUserGPU: "vhost-user-gpu: 1 copy, no tearing (the complete device needs QEMU 10.2)"
    case nil: "no vhost-user graphics device"
    }
  }

  /// The names in `-device help`: `name "NAME", bus PCI, desc "…"`.
  static func deviceNames(_ help: String) -> Set<String> {
    Set(
      help.split(separator: "\n").compactMap { line in
        guard line.hasPrefix("name \"") else { return nil }
        return String(line.dropFirst(6).prefix { $0 != "\"" })
      })
  }

  /// The names in `-device NAME,help`: `  NAME=<type>  - …`.
  static func propertyNames(_ help: String) -> Set<String> {
    Set(
      help.split(separator: "\n").compactMap { line in
        guard line.hasPrefix(" "), let end = line.firstRange(of: "=<") else { return nil }
        return String(line[..<end.lowerBound].drop { $0 == " " })
      })
  }
}
