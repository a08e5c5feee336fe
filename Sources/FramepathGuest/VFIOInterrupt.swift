import CLinux
import LinuxIO

/// The first MSI-X vector of a PCI device as an eventfd, through VFIO; the device is released with this value.
struct VFIOInterrupt: ~Copyable {
  let event: EventFD
  private let container: OwnedFD
  private let group: OwnedFD
  private let device: OwnedFD

  /// Opens a device that is bound to vfio-pci; nil if it is not.
  ///
  /// - Throws: EBUSY if another device of its IOMMU group has a kernel driver, EPERM without permission, and others.
  static func open(_ pci: PCIDevice) throws(SystemError) -> VFIOInterrupt? {
    guard pci.driver == "vfio-pci", let group = pci.vfioGroupPath else { return nil }
    let event = try EventFD()
    var fds: InlineArray<3, Int32> = .init(repeating: -1)
    let result = unsafe withUnsafeMutableBytes(of: &fds) { space in
      unsafe clinux_vfio_open(group, pci.address, space.bindMemory(to: Int32.self).baseAddress)
    }
    try check("vfio", group) { result }
    let container = OwnedFD(taking: fds[0])
    let groupFile = OwnedFD(taking: fds[1])
    let device = OwnedFD(taking: fds[2])
    let raw = device.raw
    let eventNumber = event.fd.raw
    try check("vfio", "MSI-X of \(pci.address)") { clinux_vfio_enable_msix(raw, 0, eventNumber) }
    return VFIOInterrupt(event: event, container: container, group: groupFile, device: device)
  }
}
