import CFramepathABI
public import LinuxIO

/// An ivshmem device on this machine's PCI bus.
public struct PCIDevice: Equatable, Sendable {
  /// The device's directory in sysfs.
  public let path: String

  /// The device's address on the bus, for example `0000:00:02.0`.
  public var address: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// BAR 2, write-combined if the kernel offers that.
  var memoryPath: String {
    let combined = path + "/resource2_wc"
    return LinuxFile.status(combined) != nil ? combined : path + "/resource2"
  }

  /// BAR 0.
  var registersPath: String { path + "/resource0" }

  /// The kernel driver that the device is bound to; nil without one.
  var driver: String? { lastPart(of: "/driver") }

  /// The VFIO group's file; nil without an IOMMU group. A kernel without an IOMMU may create a group.
  var vfioGroupPath: String? {
    guard let group = lastPart(of: "/iommu_group") else { return nil }
    for path in ["/dev/vfio/\(group)", "/dev/vfio/noiommu-\(group)"] where LinuxFile.status(path) != nil { return path }
    return nil
  }

  private func lastPart(of link: String) -> String? {
    LinuxFile.linkTarget(path + link)?.split(separator: "/").last.map(String.init)
  }

  /// Whether the device has vectors and so doorbells: `ivshmem-doorbell`, not `ivshmem-plain`.
  ///
  /// BAR 1 holds the MSI-X table; `ivshmem-plain` lacks it.
  public var hasDoorbell: Bool {
    guard let text = LinuxFile.text(path + "/resource") else { return false }
    let lines = text.split(separator: "\n")
    guard lines.count > 1, let start = lines[1].split(separator: " ").first else { return false }
    return start.contains { $0 != "0" && $0 != "x" }
  }

  /// The ivshmem devices, in bus order.
  ///
  /// - Parameter root: `/sys/bus/pci/devices`, except in tests.
  public static func all(root: String = "/sys/bus/pci/devices") -> [PCIDevice] {
    let names = (try? LinuxFile.list(root)) ?? []
    return names.sorted().compactMap { name in
      let path = "\(root)/\(name)"
      guard number(path + "/vendor") == FRAMEPATH_IVSHMEM_VENDOR,
        number(path + "/device") == FRAMEPATH_IVSHMEM_DEVICE
      else { return nil }
      return PCIDevice(path: path)
    }
  }

  /// Maps all of BAR 2.
  public func mapMemory() throws(SystemError) -> Mapping {
    try enable()
    let file = try OwnedFD.open(memoryPath, flags: OpenFlags.readWrite)
    return try Mapping(fd: file.raw, byteCount: file.byteCount(), isGuarded: false)
  }

  private static func number(_ path: String) -> UInt32? {
    guard let text = LinuxFile.text(path)?.split(separator: "\n").first, text.hasPrefix("0x") else { return nil }
    return UInt32(text.dropFirst(2), radix: 16)
  }

  /// Enables the device's memory accesses; needs root.
  func enable() throws(SystemError) {
    guard LinuxFile.text(path + "/enable")?.hasPrefix("0") == true else { return }
    let fd = try OwnedFD.open(path + "/enable", flags: 1)
    let raw = fd.raw
    try check("write", path + "/enable") { clibWrite(raw, "1", 1) }
  }
}
