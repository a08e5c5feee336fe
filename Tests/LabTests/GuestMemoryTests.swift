import LinuxIO
import StatusModel
import TestSupport
import Testing

/// Real QEMUs whose memory or rings cannot be served, and guests on huge pages.
@Suite("A guest's memory", .serialized, .enabled(if: Lab.card == nil))
struct GuestMemoryTests {
  /// A VM that cannot be served.
  struct Fault: Sendable, CustomTestStringConvertible {
    var shape: LabGuest.Shape
    var qemu: Int
    /// For `guest`.
    var arguments: [String]
    /// What the backend's line must name.
    var remedy: String
    /// Whether the VM is refused; else its kicks without requests get a hint.
    var isRefused = true

    var testDescription: String { "\(shape.rawValue), QEMU \(qemu), \(arguments.joined(separator: " "))" }

    static let file = ["--memory-backend", "memory-backend-file,share=on,mem-path=FOLDER/ram"]
    static let unsealed = ["--memory-backend", "memory-backend-memfd,share=on,seal=off"]
    static let shm = ["--memory-backend", "memory-backend-shm,share=on"]
    static let isPrivate = ["--memory-backend", "memory-backend-memfd,share=off"]

    static let all = [
      Fault(shape: .complete, qemu: 11, arguments: file, remedy: "memory-backend-memfd,share=on,seal=on"),
      Fault(shape: .complete, qemu: 11, arguments: unsealed, remedy: "memory-backend-memfd,share=on,seal=on"),
      Fault(shape: .complete, qemu: 11, arguments: shm, remedy: "memory-backend-memfd,share=on,seal=on"),
      Fault(shape: .complete, qemu: 11, arguments: isPrivate, remedy: "share=on"),
      Fault(shape: .vhostUserGPU, qemu: 11, arguments: file, remedy: "memory-backend-memfd,share=on,seal=on"),
      Fault(shape: .vhostUserGPU, qemu: 10, arguments: unsealed, remedy: "memory-backend-memfd,share=on,seal=on"),
      Fault(shape: .vhostUserGPU, qemu: 11, arguments: ["--device", "packed=on"], remedy: "packed=off"),
      Fault(shape: .vhostUserGPU, qemu: 10, arguments: ["--device", "packed=on"], remedy: "packed=off"),
      Fault(
        shape: .vhostUserGPU, qemu: 11,
        arguments: ["--device", "iommu_platform=on", "--append", "intel_iommu=on", "--extra", "-device intel-iommu"],
        remedy: "iommu_platform=off"),
      Fault(shape: .vhostUserGPU, qemu: 10, arguments: isPrivate, remedy: "share=on", isRefused: false),
    ]
  }

  /// The driver waits seconds for each command, so it is loaded beside the shell that the test talks to.
  @Test(arguments: Fault.all)
  func `a VM that cannot be served lives on, and one line names the property to set`(fault: Fault) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    var arguments = fault.arguments.map { $0.replacing("FOLDER", with: host.folder) }
    if let index = arguments.firstIndex(of: "--append") {
      arguments[index + 1] += " fp.modules=0"
    } else {
      arguments += ["--append", "fp.modules=0"]
    }
    let guest = try LabGuest(host: host, vm: "web", shape: fault.shape, qemu: fault.qemu, arguments: arguments)
    try guest.run("(modprobe virtio_gpu >/dev/null 2>&1 &)")
    let lines = { host.log(vm: "web").split(separator: "\n").filter { $0.contains(fault.remedy) } }
    try LabHost.wait("a line with \(fault.remedy); there is: \(host.log(vm: "web"))") { !lines().isEmpty }
    if fault.isRefused {
      #expect(lines().allSatisfy { $0.contains("error: this VM cannot be served: ") })
      try LabHost.wait("the reason in the status") {
        try host.status().scanout(vm: "web").pathReason?.contains(fault.remedy) == true
      }
    }
    // The guest and QEMU live on, with the backend.
    #expect(try guest.run("echo alive").contains("alive"))
    #expect(try guest.qmp("query-status").contains("running"))
    #expect(lines().count == 1, "\(host.log(vm: "web"))")
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
    #expect(guest.process.text(.error).utf8.count < 4096, "QEMU fills its log")
  }

  @Test(arguments: [(LabGuest.Shape.complete, 11), (.vhostUserGPU, 10)])
  func `a private DIMM that is plugged later is named once the driver uses it, and the guest lives on`(
    shape: LabGuest.Shape, qemu: Int
  ) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(
      host: host, vm: "web", shape: shape, qemu: qemu,
      arguments: ["--append", "memhp_default_state=online_kernel", "--extra", "-m 256M,slots=1,maxmem=1G"])
    try guest.draw("pattern noise --size 640x480 --seed 1")
    try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: 1))
    let total = "awk '/MemTotal/ { print $2 }' /proc/meminfo"
    let before = try guest.run(total)
    try guest.qmp(
      "object-add", arguments: #"{"qom-type":"memory-backend-ram","id":"dimm","size":134217728,"share":false}"#)
    try guest.qmp("device_add", arguments: #"{"driver":"pc-dimm","id":"dimm0","memdev":"dimm"}"#)
    try guest.run("until [ $(\(total)) -gt \(before.filter(\.isNumber)) ]; do sleep 0.1; done")
    // Linux takes the new memory first, for pictures and for commands. The driver may wait seconds for each command, so it
    // runs beside the shell.
    try guest.run("(fpdraw flip --size 1280x1024 --count 1000 >/dev/null 2>&1 &)")
    try LabHost.wait("the reason in the status; there is: \(host.log(vm: "web"))") {
      try host.status().scanout(vm: "web").pathReason?.contains("share=on") == true
    }
    // A picture's memory, and a command's.
    #expect((1...2).contains(host.log(vm: "web").split(separator: "\n").count { $0.contains("share=on") }))
    #expect(try guest.run("echo alive").contains("alive"))
    #expect(try guest.qmp("query-status").contains("running"))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
    #expect(guest.process.text(.error).utf8.count < 4096, "QEMU fills its log")
  }

  @Test(.enabled(if: HugePages.areThere, "this machine gives no huge pages"))
  func `a guest on huge pages is shown directly, in a tile, and in snapshots`() throws {
    let pages: HugePages
    do {
      pages = try HugePages(128)
    } catch {
      print("lab: this machine does not give 128 huge pages: \(error)")
      return
    }
    let host = try LabHost(
      outputs: ["headless:640x480@60", "headless:640x480@60"],
      config: "[output.headless-1]\nlayout = \"tile 1x1\"\n")
    let backend = try host.backend(vm: "web", arguments: ["--outputs", "headless-0"])
    let guest = try LabGuest(
      host: host, vm: "web", shape: .complete,
      arguments: ["--memory-backend", "memory-backend-memfd,share=on,hugetlb=on,prealloc=on"])
    try guest.draw("pattern noise --size 640x480 --seed 1")
    try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: 1))
    #expect(try host.status().scanout(vm: "web").path == .direct)
    try host.framepath(["vm", "set", "web", "--outputs", "headless-1"])
    try guest.draw("pattern noise --size 640x480 --seed 2")
    try host.expect(output: "headless-1", shows: .noise(width: 640, height: 480, seed: 2))
    try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: 2))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
    withExtendedLifetime(pages) {}
  }
}
