import LinuxIO

/// The QEMU arguments that give a VM a region.
public struct RegionArguments: Sendable {
  /// The requested ivshmem device.
  public enum Choice: String, CaseIterable, Sendable {
    /// With doorbells if this QEMU supports them, else plain.
    case auto
    /// `ivshmem-doorbell`: guest and host wake each other.
    case doorbell
    /// `ivshmem-plain`: both sides poll.
    case plain
  }

  /// The socket of `framepath-ivshmem`; the link to the region's memory is beside it.
  public var socketPath: String
  /// The requested device.
  public var choice: Choice

  /// A request.
  public init(socketPath: String, choice: Choice = .auto) {
    self.socketPath = socketPath
    self.choice = choice
  }

  /// The arguments; none needs quoting in a shell.
  ///
  /// - Parameters:
  ///   - capabilities: of the QEMU that will get them.
  ///   - regionByteCount: returns the region's size, if it is needed; throws if no region is served.
  public func words(
    for capabilities: QEMUCapabilities, regionByteCount: () throws(HostProbeError) -> Int
  ) throws(HostProbeError) -> [String] {
    let path = try QEMUArguments.checkedPath(socketPath)
    let name: String
    switch choice {
    case .doorbell: name = "ivshmem-doorbell"
    case .plain: name = "ivshmem-plain"
    case .auto: name = capabilities.ivshmemDevices.contains("ivshmem-doorbell") ? "ivshmem-doorbell" : "ivshmem-plain"
    }
    guard capabilities.ivshmemDevices.contains(name) else {
      throw HostProbeError("QEMU \(capabilities.version) was built without \(name).")
    }
    if name == "ivshmem-doorbell" {
      return ["-chardev", "socket,id=fpregion,path=\(path)", "-device", "ivshmem-doorbell,chardev=fpregion,vectors=1"]
    }
    let size = try regionByteCount()
    return [
      "-object", "memory-backend-file,id=fpregion,share=on,mem-path=\(path).region,size=\(size)", "-device",
      "ivshmem-plain,memdev=fpregion",
    ]
  }

  /// The size of the served region.
  public func servedByteCount() throws(HostProbeError) -> Int {
    do throws(SystemError) {
      return try OwnedFD.open(socketPath + ".region", flags: 0).byteCount()
    } catch {
      throw HostProbeError("There is no region at \(socketPath).region (\(error)). Start framepath-ivshmem first.")
    }
  }
}
