import Scanout

/// The QEMU arguments for a VM.
public struct QEMUArguments: Sendable {
  /// The requested device.
  public enum ShapeChoice: String, CaseIterable, Sendable {
    /// The best device of this QEMU.
    case auto
    /// The complete device; an error if there is none.
    case complete
    /// QEMU's vhost-user-gpu.
    case vhostUserGPU = "vhost-user-gpu"
  }

  /// The backend's socket.
  public var socketPath: String
  /// The guest's memory in the syntax of `-m`.
  public var memory: String
  /// The requested device.
  public var shape: ShapeChoice
  /// The number of heads of vhost-user-gpu; the complete device gets it from the backend.
  public var headCount: Int

  /// A request for the best device with one head.
  public init(socketPath: String, memory: String = "1G", shape: ShapeChoice = .auto, headCount: Int = 1) {
    self.socketPath = socketPath
    self.memory = memory
    self.shape = shape
    self.headCount = headCount
  }

  /// The arguments; none needs quoting in a shell.
  ///
  /// - Parameters:
  ///   - capabilities: of the QEMU that will get them.
  ///   - kvm: nil if KVM works, else the reason.
  public func words(for capabilities: QEMUCapabilities, kvm: String?) throws(HostProbeError) -> [String] {
    let path = try QEMUArguments.checkedPath(socketPath)
    let size = try QEMUArguments.checkedMemory(memory)
    let shape = try chosenShape(capabilities)
    // vhost-user needs shared guest memory; -machine merges with the user's own options.
    var words = ["-m", size]
    words += ["-object", "memory-backend-memfd,id=fpmem,size=\(size),share=on", "-machine", "memory-backend=fpmem"]
    if shape == .vhostUserGPU && capabilities.vhostUserGPUNeedsKVM {
      if let kvm {
        throw HostProbeError(
          """
          QEMU \(capabilities.version) runs vhost-user-gpu under KVM only, and KVM does not work here (\(kvm)). \
          Use QEMU 8.0 or newer (Debian 12: bookworm-backports), or make KVM work.
          """)
      }
      words += ["-accel", "kvm"]
    }
    // Another display device would be the guest's first; VNC beside vhost-user-gpu even ends QEMU.
    words += ["-vga", "none", "-display", "none", "-chardev", "socket,id=fpgpu,path=\(path)", "-device"]
    switch shape {
    case .complete:
      // virtio device 16 is the GPU; two queues (control, cursor) and 16 bytes of struct virtio_gpu_config.
      let name = capabilities.genericDevice ?? QEMUCapabilities.genericNames[0]
      words.append("\(name),chardev=fpgpu,virtio-id=16,num_vqs=2,config_size=16")
    case .vhostUserGPU:
      words.append("vhost-user-gpu-pci,chardev=fpgpu,max_outputs=\(headCount)")
    }
    return words
  }

  private func chosenShape(_ capabilities: QEMUCapabilities) throws(HostProbeError) -> DeviceShape {
    switch shape {
    case .complete:
      guard capabilities.genericDevice != nil else {
        throw HostProbeError(
          """
          QEMU \(capabilities.version) does not offer the generic vhost-user device that the complete device needs. \
          Use QEMU 10.2 or newer (or 8.2), or --shape vhost-user-gpu.
          """)
      }
      return .complete
    case .vhostUserGPU:
      guard capabilities.hasVhostUserGPU else {
        throw HostProbeError("QEMU \(capabilities.version) was built without vhost-user-gpu-pci.")
      }
      return .vhostUserGPU
    case .auto:
      guard let best = capabilities.bestShape else {
        throw HostProbeError(
          """
          QEMU \(capabilities.version) has neither a generic vhost-user device nor vhost-user-gpu-pci in its -device \
          help. Install a QEMU that was built with vhost-user, or that one's modules.
          """)
      }
      return best
    }
  }

  /// The memory size with its unit, so that `-m` and `-object` agree.
  public static func checkedMemory(_ text: String) throws(HostProbeError) -> String {
    // A bare number is MiB to -m and bytes to -object.
    guard let count = ByteCount(text, unit: .mebibyte), count.bytes > 0 else {
      throw HostProbeError("\(text) is not a memory size. Use a whole number and K, M, G or T, such as 512M or 4G.")
    }
    return count.description
  }

  /// A socket path for QEMU's option syntax and a shell's unquoted `$(…)`.
  static func checkedPath(_ path: String) throws(HostProbeError) -> String {
    let special: Set<Character> = ["*", "?", "[", "]", "\\", "'", "\"", "$", "`", "~"]
    guard !path.isEmpty else { throw HostProbeError("The socket's path is empty.") }
    if let bad = path.first(where: {
      $0.isWhitespace || special.contains($0) || $0.asciiValue.map { $0 < 0x20 } ?? false
    }) {
      throw HostProbeError(
        "The socket's path \(path) contains '\(bad)', which a shell would split or expand. Use --socket-path.")
    }
    // sun_path holds 108 bytes, the last of them 0.
    guard path.utf8.count <= 107 else {
      throw HostProbeError(
        "The socket's path \(path) has \(path.utf8.count) bytes; the limit is 107. Use --socket-path.")
    }
    // A comma ends an option's value unless it is doubled.
    return path.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
  }

  /// A VM name that is valid in a path and in QEMU's options.
  public static func checkedName(_ name: String) throws(HostProbeError) -> String {
    let isGood = { (character: Character) in
      character.isASCII && (character.isLetter || character.isNumber || "._-+@".contains(character))
    }
    guard !name.isEmpty, name.first != ".", name.first != "-", name.utf8.count <= 63, name.allSatisfy(isGood) else {
      throw HostProbeError(
        "'\(name)' is not a valid VM name: use letters, digits, '.', '_', '-', '+' and '@', 63 at most, no '.' or '-' first."
      )
    }
    return name
  }
}
