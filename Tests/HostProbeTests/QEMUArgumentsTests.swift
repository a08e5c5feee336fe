import Testing

@testable import HostProbe

/// The output of real QEMUs, shortened to the relevant lines.
enum Printed {
  static let version72 = """
    QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)
    Copyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers

    """
  static let version11 = "QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1)\n"
  static let devices10 = """
    Misc devices:
    name "vhost-user-i2c-pci", bus PCI

    Display devices:
    name "VGA", bus PCI
    name "vhost-user-gpu", bus virtio-bus
    name "vhost-user-gpu-pci", bus PCI
    name "vhost-user-vga", bus PCI
    name "virtio-gpu-pci", bus PCI, alias "virtio-gpu"
    """
  static let devices11 = """
    name "vhost-user-spi-pci", bus PCI
    name "vhost-user-test-device", bus virtio-bus
    name "vhost-user-test-device-pci", bus PCI
    name "vhost-user-gpu", bus virtio-bus
    name "vhost-user-gpu-pci", bus PCI
    """
  static let genericProperties = """
    vhost-user-test-device-pci options:
      addr=<str>             - Slot and optional function number, example: 06.0 or 06 (default: -1)
      chardev=<str>          - ID of a chardev to use as a backend
      config_size=<uint32>   -  (default: 0)
      num_vqs=<uint32>       -  (default: 1)
      virtio-id=<uint16>     -  (default: 0)
      vq_size=<uint16>       -  (default: 64)
    """
}

@Suite("QEMU's capabilities")
struct QEMUCapabilitiesTests {
  @Test func `QEMU's version is read from its first line`() throws {
    #expect(QEMUVersion(versionOutput: Printed.version72) == QEMUVersion(7, 2, 22))
    #expect(QEMUVersion(versionOutput: Printed.version11) == QEMUVersion(11, 1, 3))
    #expect(QEMUVersion(versionOutput: "QEMU emulator version 10.2.50 (v10.2.0-5-gabc)") == QEMUVersion(10, 2, 50))
    #expect(QEMUVersion(versionOutput: "QEMU emulator version 11") == nil)
    #expect(QEMUVersion(versionOutput: "qemu-img version 7.2.22") == nil)
    #expect(QEMUVersion(versionOutput: "") == nil)
    #expect(QEMUVersion(9, 2) < QEMUVersion(10, 0))
    #expect(QEMUVersion(10, 2, 1).description == "10.2.1")
  }

  @Test func `the complete device is found if users may create it`() {
    let found = QEMUCapabilities(version: QEMUVersion(11, 1, 3), deviceHelp: Printed.devices11) { name in
      name == "vhost-user-test-device-pci" ? Printed.genericProperties : ""
    }
    #expect(found.genericDevice == "vhost-user-test-device-pci")
    #expect(found.bestShape == .complete)
  }

  @Test func `the complete device is found under its name of QEMU 8.2`() {
    let devices = Printed.devices10 + "\nname \"vhost-user-device-pci\", bus PCI"
    let found = QEMUCapabilities(version: QEMUVersion(8, 2), deviceHelp: devices) { _ in Printed.genericProperties }
    #expect(found.genericDevice == "vhost-user-device-pci")
  }

  @Test func `the complete device is missing if only its help exists`() {
    let found = QEMUCapabilities(version: QEMUVersion(10, 0, 13), deviceHelp: Printed.devices10) { _ in
      Printed.genericProperties
    }
    #expect(found.genericDevice == nil)
    #expect(found.bestShape == .vhostUserGPU)
  }

  @Test func `the complete device is missing if a property is missing`() {
    let found = QEMUCapabilities(version: QEMUVersion(11, 1), deviceHelp: Printed.devices11) { _ in
      Printed.genericProperties.split(separator: "\n").filter { !$0.contains("virtio-id") }.joined(separator: "\n")
    }
    #expect(found.bestShape == .vhostUserGPU)
  }

  @Test func `a QEMU with neither device has no usable shape`() {
    let found = QEMUCapabilities(version: QEMUVersion(10, 0), deviceHelp: "name \"VGA\", bus PCI") { _ in "" }
    #expect(found.bestShape == nil)
  }
}

@Suite("QEMU's arguments")
struct QEMUArgumentsTests {
  private let qemu72 = QEMUCapabilities(version: QEMUVersion(7, 2, 22), genericDevice: nil, hasVhostUserGPU: true)
  private let qemu10 = QEMUCapabilities(version: QEMUVersion(10, 0, 13), genericDevice: nil, hasVhostUserGPU: true)
  private let qemu11 = QEMUCapabilities(
    version: QEMUVersion(11, 1, 3), genericDevice: "vhost-user-test-device-pci", hasVhostUserGPU: true)

  @Test func `QEMU 11 gets the complete device`() throws {
    let words = try QEMUArguments(socketPath: "/run/framepath/web.sock").words(for: qemu11, kvm: "none")
    #expect(
      words.joined(separator: " ") == """
        -m 1G -object memory-backend-memfd,id=fpmem,size=1G,share=on -machine memory-backend=fpmem \
        -vga none -display none -chardev socket,id=fpgpu,path=/run/framepath/web.sock \
        -device vhost-user-test-device-pci,chardev=fpgpu,virtio-id=16,num_vqs=2,config_size=16
        """)
  }

  @Test func `QEMU 10 gets vhost-user-gpu, and so does QEMU 11 on request`() throws {
    var request = QEMUArguments(socketPath: "/s", headCount: 2)
    #expect(try request.words(for: qemu10, kvm: "none").last == "vhost-user-gpu-pci,chardev=fpgpu,max_outputs=2")
    request.shape = .vhostUserGPU
    #expect(try request.words(for: qemu11, kvm: "none").last == "vhost-user-gpu-pci,chardev=fpgpu,max_outputs=2")
  }

  @Test func `QEMU 7.2 gets KVM, which it needs, or an error`() throws {
    let request = QEMUArguments(socketPath: "/s")
    let words = try request.words(for: qemu72, kvm: nil)
    #expect(words.joined(separator: " ").contains(" -accel kvm "))
    let error = #expect(throws: HostProbeError.self) { try request.words(for: qemu72, kvm: "no /dev/kvm") }
    #expect(error?.description.hasPrefix("QEMU 7.2.22 runs vhost-user-gpu under KVM only") == true)
  }

  @Test func `requesting the complete device from a QEMU without it is an error`() {
    let request = QEMUArguments(socketPath: "/s", shape: .complete)
    let error = #expect(throws: HostProbeError.self) { try request.words(for: qemu10, kvm: nil) }
    #expect(error?.description.contains("Use QEMU 10.2 or newer") == true)
    let bare = QEMUCapabilities(version: QEMUVersion(10, 0), genericDevice: nil, hasVhostUserGPU: false)
    for shape in QEMUArguments.ShapeChoice.allCases {
      #expect(throws: HostProbeError.self) {
        try QEMUArguments(socketPath: "/s", shape: shape).words(for: bare, kvm: nil)
      }
    }
  }

  @Test(arguments: [("2048", "2G"), ("1500", "1500M"), ("4g", "4G"), ("512M", "512M"), ("1T", "1T")])
  func `-m and -object get the same size`(given: String, size: String) throws {
    let words = try QEMUArguments(socketPath: "/s", memory: given).words(for: qemu11, kvm: nil)
    #expect(words[1] == size)
    #expect(words[3] == "memory-backend-memfd,id=fpmem,size=\(size),share=on")
  }

  @Test(arguments: ["", "0", "-1", "1.5G", "1GB", "G", "1 G", "99999999999999999999", "٣G"])
  func `a size that is not a number of bytes is refused`(given: String) {
    #expect(throws: HostProbeError.self) {
      try QEMUArguments(socketPath: "/s", memory: given).words(for: qemu11, kvm: nil)
    }
  }

  @Test func `commas in the socket's path are doubled`() throws {
    let words = try QEMUArguments(socketPath: "/run/a,b/,.sock").words(for: qemu11, kvm: nil)
    #expect(words.contains("socket,id=fpgpu,path=/run/a,,b/,,.sock"))
  }

  @Test(arguments: [
    "", "/a b", "/a\tb", "/a\nb", "/a*", "/a?", "/[a]", "~/s", "/$HOME", String(repeating: "x", count: 108),
  ])
  func `paths that a shell would split or a socket cannot bind are refused`(path: String) {
    #expect(throws: HostProbeError.self) { try QEMUArguments(socketPath: path).words(for: qemu11, kvm: nil) }
  }

  @Test func `a path of 107 bytes is accepted`() throws {
    let path = "/" + String(repeating: "x", count: 106)
    #expect(try QEMUArguments(socketPath: path).words(for: qemu11, kvm: nil).contains("socket,id=fpgpu,path=\(path)"))
  }

  @Test(arguments: ["", "a b", "a,b", "a/b", "..", ".a", "-a", "é", "a\u{1B}"])
  func `names that are not file names are refused`(name: String) {
    #expect(throws: HostProbeError.self) { try QEMUArguments.checkedName(name) }
  }

  @Test(arguments: ["web", "web-1", "Debian_13.2", "a@b+c"])
  func `usual VM names are accepted`(name: String) throws {
    #expect(try QEMUArguments.checkedName(name) == name)
  }
}

@Suite("QEMU programs")
struct QEMUBinaryTests {
  @Test func `a missing QEMU is an error that names the package to install`() {
    let error = #expect(throws: HostProbeError.self) { try QEMUBinary.capabilities("qemu-system-nowhere") }
    #expect(error?.description.hasPrefix("There is no qemu-system-nowhere. Install QEMU (Debian") == true)
  }

  @Test func `a program that is not QEMU is an error`() {
    let silent = #expect(throws: HostProbeError.self) { try QEMUBinary.capabilities("/bin/true") }
    #expect(silent?.description == "/bin/true is not a QEMU system emulator.")
    let talking = #expect(throws: HostProbeError.self) { try QEMUBinary.capabilities("/bin/echo") }
    #expect(talking?.description == "/bin/echo is not a QEMU system emulator. It says: -version")
    let failing = #expect(throws: HostProbeError.self) { try QEMUBinary.capabilities("/bin/false") }
    #expect(failing?.description == "/bin/false -version ended with exit status 1")
  }
}
