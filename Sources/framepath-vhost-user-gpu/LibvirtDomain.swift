import LinuxIO

/// What libvirt lets a backend know about its domain.
enum LibvirtDomain {
  /// The domain's name; nil if this process was not started by libvirt.
  ///
  /// libvirt passes no name, but a locked pid file, `ID-NAME-video0-vhost-user-gpu.pid`
  /// (src/qemu/qemu_vhost_user_gpu.c). The name is cut after 20 characters.
  static func name(descriptors: String = "/proc/self/fd") -> String? {
    let numbers = (try? LinuxFile.list(descriptors)) ?? []
    return numbers.lazy.compactMap { LinuxFile.linkTarget("\(descriptors)/\($0)") }.compactMap(name(pidFile:)).first
  }

  /// The name in the path of a pid file; nil for another path.
  static func name(pidFile path: String) -> String? {
    guard let file = path.split(separator: "/").last,
      let match = file.wholeMatch(of: /[0-9]+-(?<name>.+)-video[0-9]+-vhost-user-gpu\.pid/)
    else { return nil }
    return String(match.output.name)
  }
}
