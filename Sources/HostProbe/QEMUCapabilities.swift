/// The two kinds of graphics devices that a backend can serve.
public enum DeviceShape: String, CaseIterable, Sendable {
  /// QEMU's generic vhost-user device as a virtio-gpu that the backend implements completely: guest blobs, fenced
  /// flushes.
  case complete
  /// QEMU's own vhost-user-gpu, without guest blobs.
  case vhostUserGPU = "vhost-user-gpu"

  /// What a VM's user must know of the device, besides the copies and the pace of its frames.
  public var limits: String {
    let ending = "If its backend ends, the screen is black until QEMU is started again; set no reconnect-ms."
    return switch self {
    case .complete:
      "Firmware and boot menus are not visible before the guest's driver. \(ending) cpr-reboot and migration are refused."
    case .vhostUserGPU:
      """
      OVMF and its boot menus are visible, but not the VGA text of libvirt's vhost-user-vga. \(ending) QEMU 11 then \
      fills its log. After cpr-reboot the screen stays black.
      """
    }
  }
}

/// The features of a QEMU binary that Framepath needs.
public struct QEMUCapabilities: Equatable, Sendable {
  /// The release.
  public let version: QEMUVersion
  /// The name of the generic vhost-user PCI device in this release, if users may create one; else nil.
  public let genericDevice: String?
  /// Whether `vhost-user-gpu-pci` exists.
  public let hasVhostUserGPU: Bool
  /// Those of `ivshmem-doorbell` and `ivshmem-plain` that exist.
  public let ivshmemDevices: Set<String>

  /// The generic device's names, newest first: 8.2 has the second one, 10.2 renamed it.
  static let genericNames = ["vhost-user-test-device-pci", "vhost-user-device-pci"]
  /// The properties that the generic device must have.
  static let neededProperties: Set<String> = ["chardev", "virtio-id", "num_vqs", "config_size"]

  /// Capabilities with known values.
  public init(
    version: QEMUVersion, genericDevice: String?, hasVhostUserGPU: Bool, ivshmemDevices: Set<String> = []
  ) {
    self.ivshmemDevices = ivshmemDevices
    self.version = version
    self.genericDevice = genericDevice
    self.hasVhostUserGPU = hasVhostUserGPU
  }

  /// Parses the binary's help.
  ///
  /// - Parameters:
  ///   - deviceHelp: the output of `-device help`, which lists only devices that users may create.
  ///   - propertyHelp: the output of `-device NAME,help`. QEMU 9.0 to 10.1 also answer for a device that users cannot
  ///     create, so this alone is not sufficient.
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

  /// A summary for users: copies, tearing, features.
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
